"""The trial of a place: an engine that breaks its word is found out, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from wa_bench.running import now, wa
from wa_bench.sessions import everything, link
from wa_core.cli.commands import doctor
from wa_core.storage import SCRATCH, Lease, LeaseBook, MemoryEngine, Operation, open_engine
from wa_core.storage.checkup import Checkup, Outcome, examine

pytestmark = pytest.mark.once

STEPS = ["connect", "lease", "write", "read", "list", "delete", "fence", "durability"]


@pytest.fixture
def place() -> str:
    return f"memory:{secrets.token_hex(8)}"


async def left(place: str) -> int:
    """Count what the scratch session holds."""
    async with await open_engine(f"{place}#{SCRATCH}") as engine:
        return await engine.count()


async def test_every_step_is_told_before_it_is_taken(place: str) -> None:
    began: list[str] = []

    found = await examine(place, began=began.append)

    assert began == [*STEPS, "clean up"]
    assert [step.name for step in found.steps] == began
    assert found.is_sound


async def forgets(self: MemoryEngine, operations: Sequence[Operation], fence: Lease | None) -> None:
    """Apply nothing."""


async def oldest_first(
    self: MemoryEngine, prefix: str, offset: int, limit: int | None
) -> list[str]:
    return self.store.index.page(prefix, 0, None)[::-1][offset:][:limit]


async def makes_up(self: MemoryEngine, keys: Sequence[str]) -> dict[str, bytes]:
    return dict.fromkeys(keys, b"{}")


def believes_all(self: LeaseBook, epoch: int) -> None:
    """Take every lease for the current one."""


@pytest.mark.parametrize(
    ("owner", "name", "lie", "step", "says"),
    [
        (MemoryEngine, "_apply", forgets, "read", "is not there"),
        (MemoryEngine, "_get_many", makes_up, "read", "absent is there"),
        (MemoryEngine, "_list", oldest_first, "list", "newest does not come first"),
        (LeaseBook, "check_current", believes_all, "fence", "went through"),
    ],
)
async def test_an_engine_that_breaks_its_word_is_found_out(
    owner: type,
    name: str,
    lie: Callable[..., Any],
    step: str,
    says: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, lie)
        found = await examine(place)

    failed = [each for each in found.steps if each.outcome is Outcome.FAILED]
    skipped = [each.name for each in found.steps if each.outcome is Outcome.SKIPPED]
    assert [each.name for each in failed] == [step]
    assert says in failed[0].found
    assert skipped == STEPS[STEPS.index(step) + 1 :]
    assert not found.is_sound
    assert await left(place) == 0


@pytest.mark.parametrize("step", STEPS[1:])
async def test_whoever_cancels_it_leaves_nothing(step: str, place: str) -> None:
    def began(name: str) -> None:
        if name == step:
            trial.cancel()

    trial = asyncio.ensure_future(examine(place, began=began))

    with pytest.raises(asyncio.CancelledError):
        await trial
    assert await left(place) == 0
    assert (await examine(place)).is_sound


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_the_scratch_session_goes(
    tmp_path: Path, number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file:{tmp_path}/s#bot"
    now(link(url))
    before = now(everything(url))

    async def interrupted(place: str, *, began: Callable[[str], None]) -> Checkup:
        def heard(name: str) -> None:
            if name == "durability":
                os.kill(os.getpid(), number)

        return await examine(place, began=heard)

    monkeypatch.setattr(doctor, "examine", interrupted)

    ended = wa("doctor", url)

    assert ended.code == code
    assert "interrupted" in ended.err
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["bot"]
    assert now(everything(url)) == before
