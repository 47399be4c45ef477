"""Sessions side by side: none may get lost, and none may end well by not ending."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tools import abreast

NOX = """
import json, os, sys, time
if "--list" in sys.argv:
    assert sys.argv[-2:] == ["-s", "conformance"]
    print(json.dumps([{"session": f"conformance({name})"} for name in "ab"]))
elif "conformance(a)" in sys.argv:
    print("a said")
    sys.stdout.flush()
    os._exit(9)
else:
    print("b said")
    report = sys.argv[sys.argv.index("--report") + 1]
    with open(report, "w") as file:
        json.dump({"sessions": [{"signatures": ["conformance(b)"], "result": "success"}]}, file)
"""


@pytest.fixture(autouse=True)
def pretended_nox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abreast, "NOX", (sys.executable, "-c", NOX))


def test_a_name_stands_for_all_sessions_that_have_it() -> None:
    assert abreast.sessions(["conformance"]) == ["conformance(a)", "conformance(b)"]


def test_the_real_nox_lists_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    found = abreast.sessions(["conformance", "wheels"])

    assert {"conformance(memory)", "conformance(file)", "wheels"} <= set(found)


def test_each_session_is_heard_and_one_that_dies_is_reported_as_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    abreast.main(tmp_path, ["conformance"])

    said = capsys.readouterr().out.splitlines()
    found = [json.loads(path.read_text())["sessions"][0] for path in tmp_path.glob("*.json")]
    results = {one["signatures"][0]: one["result"] for one in found}
    assert sorted(said) == ["a said", "b said"]
    assert results == {"conformance(a)": "failed", "conformance(b)": "success"}
