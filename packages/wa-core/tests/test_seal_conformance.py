"""A sealed engine is an engine: the contract's checks, through `seal=` in a URL."""

from __future__ import annotations

import os
import tempfile

import pytest
from wa_conformance.cli import main
from wa_core.seal import new_key

IN_MEMORY = "/dev/shm"


@pytest.mark.once
def test_a_sealed_folder_keeps_the_contract(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WA_SUITE_KEY", new_key())
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None

    with tempfile.TemporaryDirectory(prefix="wa-seal-", dir=place) as folder:
        status = main([f"file:{folder}/store?seal=env:WA_SUITE_KEY", "--seed", "5"])

    report = capsys.readouterr().out
    assert status == 0, report
    assert "SealedEngine" in report
    assert " 0 failed" in report
    assert " 0 not run" in report
