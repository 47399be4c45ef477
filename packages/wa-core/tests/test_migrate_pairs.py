"""Every engine to every other one, on real servers: copied, compared, killed, finished."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterable, Sequence

import pytest
from migrate_bench.places import (
    AUTH,
    FOREIGN,
    OURS,
    WHOLE,
    Places,
)
from migrate_bench.rounds import Rounds, run_all
from migrate_bench.sample import fill, held, opens, records_for, whole_records
from wa_core.errors import TargetUnfitError
from wa_core.migrate import Mark, check, copy
from wa_core.state.moves import get_move
from wa_core.storage import open_engine

pytestmark = pytest.mark.once
SIDE_BY_SIDE = 6


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


OF_BYTES = [kind for kind in (*OURS, *WHOLE) if kind != "arcaelas-sql"]
TOO_NARROW = ("arcaelas-sql", *AUTH)
"""A table of text cannot hold bytes, and an auth state no messages."""


async def refused_before_the_first_byte(first: str, second: str, place: Places) -> None:
    """Try to move messages to where they have no place, and look that nothing changed."""
    source, target = place(first), place(second)
    records = whole_records(2, 3, odd=False)
    await fill(source, {**records, "chat/1@g.us/message/A/content": b"\xff\x00 is no text"})
    before = await held(source)

    with pytest.raises(TargetUnfitError):
        await copy(source, target)

    assert await held(source) == before
    async with await open_engine(source) as engine:
        assert await get_move(engine) is None
    async with await open_engine(target) as engine:
        assert await engine.count() == 0


@named([("sqlite", second) for second in TOO_NARROW])
async def test_what_a_target_cannot_hold_is_refused_before_the_first_byte(
    first: str, second: str, place: Places
) -> None:
    await refused_before_the_first_byte(first, second, place)


@pytest.mark.soak
@named([pair for pair in itertools.product(OF_BYTES, TOO_NARROW) if pair[0] != "sqlite"])
async def test_what_no_target_can_hold_is_refused_whatever_it_comes_from(
    first: str, second: str, place: Places
) -> None:
    await refused_before_the_first_byte(first, second, place)


async def killed_again_and_again(
    pairs: Iterable[tuple[str, str]], place: Places, *, kills: int
) -> None:
    """Kill so many migrations of each pair, look after each of them, and let others finish."""
    seed = int(os.environ.get("WA_KILLS_SEED", secrets.randbelow(2**32)))
    print(f"WA_KILLS_SEED={seed} draws these kills again")
    small = {pair: records_for(*pair, chats=2, messages=3) for pair in pairs}
    rounds = [Rounds(pair, place, records, seed) for pair, records in small.items()]
    await run_all(rounds, kills, side_by_side=SIDE_BY_SIDE)


async def test_killed_migrations_leave_one_side_that_opens_and_the_next_run_finishes_them(
    place: Places,
) -> None:
    ring = [("file", "redis"), ("redis", "sqlite"), ("sqlite", "file")]
    await killed_again_and_again(ring, place, kills=4)


LASTING = [kind for kind in (*OURS, *FOREIGN) if kind != "memory"]
"""What outlives the process that is killed."""


@pytest.mark.soak
@pytest.mark.parametrize("first", LASTING)
async def test_twenty_kills_of_every_pair_leave_one_side_that_opens(
    first: str, place: Places
) -> None:
    pairs = [(first, second) for second in LASTING if second != first]
    await killed_again_and_again(pairs, place, kills=20)
