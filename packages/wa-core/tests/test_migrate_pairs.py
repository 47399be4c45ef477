"""Every engine to every other one, on real servers: copied, compared, killed, finished."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from migrate_bench.killing import KILLED, migrate
from migrate_bench.places import (
    AUTH,
    FOREIGN,
    OURS,
    WHOLE,
    Places,
    empty_place,
    started_servers,
)
from migrate_bench.sample import auth_records, fill, held, opens, whole_records
from wa_core.migrate import Mark, check, copy

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def servers() -> Iterator[Places]:
    """Share the servers among all pairs."""
    with started_servers() as found:
        yield found


@pytest.fixture
def place(servers: Places, tmp_path: Path) -> Places:
    """Name an empty session of a kind."""
    return lambda kind: empty_place(kind, servers, tmp_path)


def records_for(*kinds: str) -> dict[str, bytes]:
    """Make the largest session that all of these can hold."""
    if set(kinds) & set(AUTH):
        return auth_records()
    return whole_records(odd=not set(kinds) & set(WHOLE))


PAIRS = list(itertools.permutations((*OURS, *FOREIGN), 2))
QUICK = [
    *itertools.permutations(OURS, 2),
    *(pair for other in FOREIGN for pair in (("sqlite", other), (other, "sqlite"))),
]
"""Those of the default run: each of ours to each, and the others to one and back."""


def named(pairs: Sequence[tuple[str, str]]) -> pytest.MarkDecorator:
    """Run a test for each of these pairs."""
    names = ["-to-".join(pair) for pair in pairs]
    return pytest.mark.parametrize(("first", "second"), pairs, ids=names)


@named(QUICK)
async def test_a_session_moves_from_one_to_the_other(
    first: str, second: str, place: Places
) -> None:
    await moved_and_compared(first, second, place)


@pytest.mark.soak
@named([pair for pair in PAIRS if pair not in QUICK])
async def test_a_session_moves_between_any_two(first: str, second: str, place: Places) -> None:
    await moved_and_compared(first, second, place)


async def moved_and_compared(first: str, second: str, place: Places) -> None:
    """Move a session, keep a copy, and compare both with what was written first."""
    source, target, records = place(first), place(second), records_for(first, second)
    await fill(source, records)
    before = await held(source)

    await copy(source, target, keep_source=True)
    found = await check(source, target, tell=lambda mark, key: None)

    after = await held(target)
    assert {key: value for key, (value, _) in after.items()} == records
    if found.positions:
        assert after == before
    foreign = first not in OURS
    # Another tool reads no marker: there the credentials are out of its reach.
    assert found.counts[Mark.ONLY_TARGET] == (1 if foreign else 0)
    assert found.counts[Mark.EQUAL] == len(records) - (1 if foreign else 0)
    assert (await opens(source), await opens(target)) == (False, True)


KILLED_PAIRS = [pair for pair in PAIRS if "memory" not in pair]
RING = [("file", "redis"), ("redis", "sqlite"), ("sqlite", "file")]


async def killed_again_and_again(source: str, target: str, kills: int) -> None:
    """Kill one migration that often, look after each time, then let it end."""
    records = records_for(source.partition(":")[0], target.partition(":")[0])
    await fill(source, records)
    ended = 0
    for _ in range(kills):
        ran = await migrate(source, target, kill_after=random.randint(1, 12))
        assert ran.code in (KILLED, 0), ran.lines
        ended += ran.code == 0
        assert await opens(source) + await opens(target) == 1

    ran = await migrate(source, target)

    assert ran.code == 0, ran.lines
    assert {key: value for key, (value, _) in (await held(target)).items()} == records
    assert await held(source) == {}
    assert (await opens(source), await opens(target)) == (False, True)


@named(RING)
async def test_a_killed_migration_leaves_one_side_that_opens_and_is_finished_by_the_next(
    first: str, second: str, place: Places
) -> None:
    await killed_again_and_again(place(first), place(second), kills=3)


@pytest.mark.soak
@named(KILLED_PAIRS)
async def test_every_pair_survives_twenty_kills(first: str, second: str, place: Places) -> None:
    for _ in range(5):
        await killed_again_and_again(place(first), place(second), kills=4)
