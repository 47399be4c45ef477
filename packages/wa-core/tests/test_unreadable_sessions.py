"""F1: whoever reads a session that cannot be read is told so; nothing is changed, nobody minted.

Each reader meets each fault. Behind it stand the same questions: was it an error of ours, are the
credentials the same bytes, does the target stay shut, and was an identity made?
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from unreadable_bench.minting import watched
from unreadable_bench.readers import COMPARERS, MOVERS, OPENERS, Reader, Refusal, alone, opens
from unreadable_bench.sample import CREDENTIALS, ODD, OF_ANOTHER_SHAPE, WHOLE
from unreadable_bench.stores import BrokenStore, Fault, forget, stored
from wa_core.errors import CorruptRecordError, EngineUnavailableError
from wa_core.migrate import OnConflict, copy
from wa_core.storage.layouts import CREDS

pytestmark = pytest.mark.once

FAULTS: dict[str, Fault] = {
    "EIO": lambda: EngineUnavailableError("the disk reports an input/output error (EIO)"),
    "EACCES": lambda: EngineUnavailableError("the file system denies access (EACCES)"),
    "damage": lambda: CorruptRecordError(CREDS),
}
"""What an engine says of a record that it cannot read."""


@pytest.fixture(autouse=True)
def nobody_mints() -> Iterator[None]:
    with watched() as notes:
        yield
    assert notes == []


class Sides:
    """A source with a session, and an empty target."""

    def __init__(self, records: dict[str, bytes] = WHOLE) -> None:
        self.url, self.source = stored(records)
        self.target_url, self.target = stored({})

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *_: object) -> None:
        forget(self.url, self.target_url)

    def refusal(self, reader: Reader) -> Refusal:
        """Let somebody read, and see that nothing came of it but an error."""
        before, there = dict(self.source.values), dict(self.target.values)
        found = reader(self.url, self.target_url)
        assert found is not None
        assert found.sentence
        assert {**self.source.values, "wa/move": b""} == {**before, "wa/move": b""}
        assert self.target.values.get(CREDS, CREDENTIALS) == there.get(CREDS, CREDENTIALS)
        assert not opens(self.target_url)
        return found


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("reader", OPENERS | MOVERS)
def test_credentials_that_cannot_be_read_are_an_error_to_everybody(reader: str, fault: str) -> None:
    with Sides() as sides:
        sides.source.break_key(CREDS, FAULTS[fault])

        refusal = sides.refusal((OPENERS | MOVERS)[reader])

        assert refusal.code == FAULTS[fault]().code
        sides.source.mend()
        assert opens(sides.url)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("reader", MOVERS)
def test_any_other_record_ends_a_move_as_well(reader: str, fault: str) -> None:
    for key in WHOLE:
        # Of the auth state alone, the contacts are not read.
        if key.startswith("contact/") and reader == "move the auth state":
            continue
        with Sides() as sides:
            sides.source.break_key(key, FAULTS[fault])

            assert sides.refusal(MOVERS[reader]).code == FAULTS[fault]().code


@pytest.mark.parametrize("on_conflict", OnConflict)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_target_that_cannot_be_read_is_not_written_over(on_conflict: str, fault: str) -> None:
    with Sides() as sides:
        for key, value in WHOLE.items():
            sides.target.put(key, value, None)
        sides.target.break_key(CREDS, FAULTS[fault])

        refusal = sides.refusal(alone(partial(copy, on_conflict=on_conflict)))

        assert refusal.code in (FAULTS[fault]().code, "move-conflict")
        assert sides.target.values[CREDS] == CREDENTIALS
        assert opens(sides.url)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("reader", OPENERS | MOVERS)
def test_what_is_no_json_object_is_damage_to_everybody(reader: str, odd: str) -> None:
    with Sides({**WHOLE, CREDS: ODD[odd]}) as sides:
        refusal = sides.refusal((OPENERS | MOVERS)[reader])

        assert refusal.code == "corrupt-record"
        assert "Restore it from a backup" in refusal.sentence


@pytest.mark.parametrize("odd", OF_ANOTHER_SHAPE)
@pytest.mark.parametrize("reader", OPENERS)
def test_what_has_another_shape_opens_for_nobody(reader: str, odd: str) -> None:
    with Sides({**WHOLE, CREDS: OF_ANOTHER_SHAPE[odd]}) as sides:
        assert sides.refusal(OPENERS[reader]).code == "corrupt-record"


@pytest.mark.parametrize("reader", ["open, to begin one", "move"])
def test_credentials_cut_at_any_place_are_damage(reader: str) -> None:
    for length in range(len(CREDENTIALS)):
        with Sides({CREDS: CREDENTIALS[:length]}) as sides:
            assert sides.refusal((OPENERS | MOVERS)[reader]).code == "corrupt-record", length

    assert length == len(CREDENTIALS) - 1


@pytest.mark.parametrize("reader", OPENERS | MOVERS | COMPARERS)
def test_a_silent_store_is_an_error_to_everybody(reader: str) -> None:
    with Sides() as sides:
        sides.source.stall()

        refusal = sides.refusal((OPENERS | MOVERS | COMPARERS)[reader])

        assert refusal.code == "engine-unavailable"
        sides.source.resume()
        assert opens(sides.url)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("reader", OPENERS | MOVERS | COMPARERS)
def test_a_connection_that_dies_at_any_call_leaves_one_session(reader: str, side: str) -> None:
    call, refused = 0, 0
    read = (OPENERS | MOVERS | COMPARERS)[reader]
    while True:
        call += 1
        with Sides() as sides:
            dying: BrokenStore = getattr(sides, side)
            dying.die_at(call)
            refusal = read(sides.url, sides.target_url)
            if not dying.is_dead:
                break
            refused += refusal is not None
            assert refusal is None or refusal.code == "engine-unavailable"
            dying.mend()
            open_sides = [url for url in (sides.url, sides.target_url) if opens(url)]
            assert len(open_sides) == 1, call
            holder = sides.source if open_sides == [sides.url] else sides.target
            assert holder.values[CREDS] == CREDENTIALS

    assert refused > 0 or (side == "target" and reader in OPENERS)
