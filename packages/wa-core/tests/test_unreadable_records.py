"""F1 below the credentials: a key, a part that is copied, the word of the other side.

What has no checksum is told by its form alone, and so at every place where it can be cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest
from unreadable_bench.minting import watched
from unreadable_bench.readers import OPENERS, alone, opens
from unreadable_bench.sample import CONTACT, CREDENTIALS, ODD, RECORDS, WHOLE
from unreadable_bench.stores import Fault, forget, stored
from wa_core.errors import CorruptRecordError, EngineUnavailableError
from wa_core.migrate import Mark, check, copy
from wa_core.state import AuthState, Severity, validate
from wa_core.state.moves import MOVE_KEY, Move, Stage
from wa_core.storage import open_engine
from wa_core.storage.layouts import CREDS, KINDS, dumps, key_of

pytestmark = pytest.mark.once

FAULTS: dict[str, Fault] = {
    "an error of the disk": lambda: EngineUnavailableError("the disk reports EIO"),
    "damage": lambda: CorruptRecordError("a record"),
}
Question = Callable[[AuthState], Awaitable[object]]


def value_of(kind: str) -> Question:
    return lambda state: state.keys.get(kind, ["AAAA"])


QUESTIONS: dict[str, tuple[str, Question]] = {
    **{kind: (key_of(kind, "AAAA"), value_of(kind)) for kind in KINDS},
    "who a number is": (
        key_of("lid-mapping", "15550000001"),
        lambda state: state.canonical("15550000001.0"),
    ),
    "pre-keys to offer": (key_of("pre-key", "1"), lambda state: state.pre_keys.offer(1)),
}
"""Whoever reads a key, and which."""


@pytest.fixture(autouse=True)
def nobody_mints() -> Iterator[None]:
    with watched() as notes:
        yield
    assert notes == []


def to_offer() -> bytes:
    """Spell credentials that count one pre-key which the server has not taken."""
    return CREDENTIALS.replace(b'"nextPreKeyId":1', b'"nextPreKeyId":2')


async def answer(
    records: dict[str, bytes], question: Question, fault: Fault | None = None
) -> object:
    """Ask a state over these records, with or without a fault at the record of the question."""
    url, store = stored(records)
    try:
        async with await open_engine(url) as engine, await AuthState.open(engine) as state:
            for key, asked in QUESTIONS.values():
                if fault is not None and asked is question:
                    store.break_key(key, fault)
            return await question(state)
    finally:
        assert store.values == records
        forget(url)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("asked", QUESTIONS)
async def test_a_key_that_cannot_be_read_is_never_absent(asked: str, fault: str) -> None:
    key, question = QUESTIONS[asked]
    records = {CREDS: to_offer(), key: b"{}"}

    with pytest.raises(type(FAULTS[fault]())):
        await answer(records, question, FAULTS[fault])


@pytest.mark.parametrize("asked", QUESTIONS)
async def test_a_key_that_is_no_json_is_never_absent(asked: str) -> None:
    key, question = QUESTIONS[asked]

    for odd in (b"", b"\xff", b"{", b'{"x":NaN}', b'{"type":"Buffer","data":"*"}', b"1" * 5000):
        with pytest.raises(CorruptRecordError, match="Delete it to go on without it"):
            await answer({CREDS: to_offer(), key: odd}, question)


@pytest.mark.parametrize("asked", ["session", "pre-key", "app-state-sync-key", "pre-keys to offer"])
async def test_a_key_cut_at_any_place_is_damage(asked: str) -> None:
    key, question = QUESTIONS[asked]
    whole = dumps({"private": b"\x01" * 32, "public": b"\x02" * 32, "of": {"1": [2, "x"]}})
    assert await answer({CREDS: to_offer(), key: whole}, question)

    for length in range(len(whole)):
        with pytest.raises(CorruptRecordError):
            await answer({CREDS: to_offer(), key: whole[:length]}, question)


@pytest.mark.parametrize("kind", ["app-state-sync-key", "lid-mapping"])
async def test_a_look_at_a_session_names_what_is_damaged(kind: str) -> None:
    url, _ = stored({**WHOLE, key_of(kind, "AAAA"): b"{"})

    async with await open_engine(url, read_only=True) as engine:
        report = await validate(await AuthState.open(engine))

    assert report.worst is Severity.ERROR
    assert "damaged" in str(report)
    forget(url)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("broken", [CONTACT, "contact/2@s.whatsapp.net/index", "lid/2"])
def test_the_copy_of_a_part_ends_where_a_record_cannot_be_read(broken: str, fault: str) -> None:
    records = {**WHOLE, "contact/2@s.whatsapp.net/index": b"{}", "lid/2": b"2@s.whatsapp.net"}
    source, store = stored(records)
    target, there = stored({})
    store.break_key(broken, FAULTS[fault])

    refusal = alone(partial(copy, only=["contacts"]))(source, target)

    assert refusal is not None
    assert refusal.code == FAULTS[fault]().code
    assert store.values == records
    assert CREDS not in there.values
    assert (opens(source), opens(target)) == (True, False)
    forget(source, target)


async def test_a_check_names_what_is_damaged_on_either_side() -> None:
    source, mine = stored(WHOLE)
    target, its = stored(WHOLE)
    mine.break_key(CREDS, lambda: CorruptRecordError(CREDS))
    its.break_key(CONTACT, lambda: CorruptRecordError(CONTACT))

    marks: dict[str, Mark] = {}
    found = await check(source, target, tell=lambda mark, key: marks.update({key: mark}))

    assert not found.is_equal
    assert {key for key, mark in marks.items() if mark is Mark.DAMAGED} == {CREDS, CONTACT}
    forget(source, target)


MOVED = Move(id="7", stage=Stage.MOVED, other="memory:there", at=1).to_bytes()


def arrived(word: bytes) -> tuple[str, str]:
    """Make a target that is complete, and a source that says `word` of the move."""
    source, _ = stored({**RECORDS, MOVE_KEY: word})
    verified = Move(id="7", stage=Stage.VERIFIED, other=source, at=1)
    target, _ = stored({**RECORDS, MOVE_KEY: verified.to_bytes()})
    return source, target


@pytest.mark.parametrize("opener", OPENERS)
def test_a_complete_copy_stays_shut_while_its_source_cannot_say(opener: str) -> None:
    words = [MOVED[:length] for length in range(len(MOVED))]
    for word in [*words, *ODD.values(), b'{"version":1,"at":1e999}', b"[" * 100_000]:
        source, target = arrived(word)

        refusal = OPENERS[opener](target, "")

        assert refusal is not None
        assert refusal.code == "session-arriving"
        assert "Run the same wa-migrate again" in refusal.sentence
        forget(source, target)


@pytest.mark.parametrize("opener", OPENERS)
def test_a_complete_copy_stays_shut_while_its_source_is_silent(opener: str) -> None:
    source, target = arrived(MOVED)
    asyncio.run(_stall(source))

    refusal = OPENERS[opener](target, "")

    assert refusal is not None
    assert "its source cannot be asked (engine-unavailable)" in refusal.sentence
    forget(source, target)


async def _stall(url: str) -> None:
    async with await open_engine(url) as engine:
        engine.store.stall()  # type: ignore[attr-defined]


def test_a_complete_copy_opens_once_its_source_has_let_go() -> None:
    source, target = arrived(MOVED)

    assert opens(target)
    forget(source, target)
