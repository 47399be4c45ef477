from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from wa_conformance.bench import Bench
from wa_conformance.target import parse_target
from wa_core.storage import Capabilities

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture(autouse=True)
def _faulty_engines_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    # Programs that a test starts look for them too.
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)


@pytest.fixture
def bench_on() -> Callable[[str], Bench]:
    def make(text: str = "memory:", *, clause: str = "C1") -> Bench:
        target = parse_target(text)
        from wa_core.storage.memory import CAPABILITIES

        promised: Capabilities = CAPABILITIES
        return Bench(target, capabilities=promised, claims=promised.claims, clause=clause)

    return make
