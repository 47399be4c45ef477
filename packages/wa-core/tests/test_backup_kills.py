"""Moves into archives and out of them by a process that is killed: one side opens, none is lost."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from archive_bench.made import KEY, VARIABLE, url_of
from migrate_bench.killing import KILLED, Kill, Nursery
from migrate_bench.sample import fill, held, opens, whole_records

pytestmark = pytest.mark.once

Way = tuple[str, str]


async def unharmed(nursery: Nursery, way: Way) -> list[float]:
    """Move a session, and return how the run went."""
    ran = await nursery.migrate("--from", way[0], "--to", way[1])
    assert ran.code == 0, ran
    return ran.pauses


async def killed(nursery: Nursery, way: Way, kill: Kill) -> bool:
    """Move by a run that is killed and one that is not; tell whether the kill came in time."""
    source, target = way
    before = await held(source)

    first = await nursery.migrate("--from", source, "--to", target, kill=kill)
    assert first.code in (KILLED, 0), first
    assert await opens(source) + await opens(target) == 1
    if first.code == KILLED:
        await unharmed(nursery, way)

    assert (await opens(source), await opens(target)) == (False, True)
    assert await held(target) == before
    return first.code == KILLED


async def kill_rounds(rounds: int, folder: Path, seed: int) -> int:
    """Kill so many runs into archives and so many out of them; return how many came in time."""
    dice, landed = Random(seed), 0

    async def ways(name: str) -> tuple[Way, Way]:
        source, archive = f"file:{folder}/{name}#bot", url_of(folder / f"{name}.wa")
        await fill(source, whole_records(chats=3))
        return (source, archive), (archive, f"sqlite:{folder}/{name}.db#bot")

    async with Nursery.opened() as nursery:
        pauses = [await unharmed(nursery, way) for way in await ways("unharmed")]
        for number in range(rounds):
            for way, known in zip(await ways(str(number)), pauses, strict=True):
                landed += await killed(nursery, way, Kill.drawn(dice, known))
    return landed


async def test_killed_on_the_way_into_an_archive_or_out_one_side_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)

    assert await kill_rounds(2, tmp_path, seed=1) > 0


@pytest.mark.soak
async def test_killed_a_hundred_times_one_side_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)

    assert await kill_rounds(60, tmp_path, seed=2) > 50
