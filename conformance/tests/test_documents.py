"""The documents that promise something: the contract's print, and the engine a reader types in."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from wa_conformance import contract
from wa_conformance.profile import QUICK
from wa_conformance.runner import run
from wa_conformance.subject import Status, Subject
from wa_conformance.target import parse_target
from wa_core.storage.clauses import CLAUSES

pytestmark = pytest.mark.once

DOCS = Path(__file__).parents[2] / "docs"


def blocks(document: str, file: str) -> str:
    text = (DOCS / document).read_text(encoding="utf-8")
    found = re.findall(rf"^```python {re.escape(file)}\n(.*?)^```$", text, re.M | re.S)
    return "\n\n".join(found)


def test_the_contract_in_the_documents_is_the_one_in_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert contract.main(["--check", str(DOCS / "contract.md")]) == 0


def test_an_old_print_of_the_contract_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "contract.md"
    contract.main(["--write", str(file)])
    assert contract.main(["--check", str(file)]) == 0

    file.write_text(file.read_text().replace("**K1**", "**K9**"))

    assert contract.main(["--check", str(file)]) == 1
    assert "is old" in capsys.readouterr().out


def test_the_contract_names_every_clause_once() -> None:
    text = contract.document()

    for clause in CLAUSES:
        assert text.count(f"- **{clause.id}** (") == 1


def test_the_engine_that_the_guide_writes_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.py").write_text(blocks("write-your-own-engine.md", "notes.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("NOTES_DB", str(tmp_path / "notes.db"))
    monkeypatch.delitem(sys.modules, "notes", raising=False)

    report = run(Subject.of(parse_target("notes:NotesEngine")), profile=QUICK, seed=1)

    assert [(o.id, o.message) for o in report.of(Status.FAILED, Status.NOT_RUN)] == []
    assert [note for outcome in report.outcomes for note in outcome.notes] == []
    assert report.count(Status.PASSED) > 50


def test_the_guide_says_what_is_missing_before_the_hooks_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = blocks("write-your-own-engine.md", "notes.py").partition("class NotesHooks")[0]
    (tmp_path / "bare_notes.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("NOTES_DB", str(tmp_path / "notes.db"))

    subject = Subject.of(parse_target("bare_notes:NotesEngine"))
    report = run(subject, profile=QUICK, seed=1, only=["G", "C3", "K3", "N"])

    assert {outcome.clause for outcome in report.of(Status.NOT_RUN)} == {"C3", "G2", "G3"}
    assert report.exit_code == 1
