"""A batch in MariaDB and MySQL as one message, for a writer that has the session to itself.

The idea is that of `pace.py`: the message raises the turn that it names, and stops there when it
finds another, or a lease that is not current. Then the two messages of `mysql_turn` decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncmy import errors
from wa_core.storage import MAX_POSITION

from wa_engine_sql.change import Change, Record
from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.mysql_text import MESSAGE, NOW, Wording, ask
from wa_engine_sql.mysql_turn import TWO_ROWS, Placed, Turn, stop_unless
from wa_engine_sql.pace import Pace

_SIGNAL = 1644
"""The error of a block that we end ourselves."""
_MOST = MESSAGE // 4
"""The bytes of a change that surely fit one message: digits take two for each."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the next write has to know of a session."""

    ident: int
    number: int
    """Of the last turn."""
    deep: bool

    @classmethod
    def after(cls, turn: Turn, change: Change) -> Known:
        """Return what is known once a turn has written."""
        return cls(turn.ident, turn.number, turn.deep or bool(change.deep))


async def write(
    db: Any, wording: Wording, pace: Pace[Known], change: Change, epoch: int | None
) -> bool:
    """Make and commit a change that fits one message; tell whether it was made."""
    known = pace.take()
    if known is None or sum(put.size for put in change.puts) > _MOST:
        return False
    turn = Turn(db, wording, known.ident, 0, 0, known.deep, known.number + 1)
    after = Known.after(turn, change)
    given = sum(put.at is None for put in change.puts)
    steps = [str(step) for step in turn.steps(change, _placed(change.puts, given))]
    try:
        await ask(db, *_message(wording, _raise(after, given, epoch), steps))
    except errors.DatabaseError as exc:
        if exc.args[0] not in (_SIGNAL, TWO_ROWS):
            raise
        await ask(db, "ROLLBACK", *wording.after)
        pace.met_another()
        return False
    pace.went(after)
    return True


def _message(wording: Wording, taking: str, steps: Sequence[str]) -> tuple[str, ...]:
    if wording.blocks:
        stop = ("IF ROW_COUNT() <> 1 THEN SIGNAL SQLSTATE '45000'", "END IF")
        return ("BEGIN NOT ATOMIC START TRANSACTION", taking, *stop, *steps, "COMMIT", "END")
    begin = (*wording.before, "START TRANSACTION", taking, stop_unless("ROW_COUNT() = 1"))
    return (*begin, *steps, "COMMIT", *wording.after)


def _raise(to: Known, given: int, epoch: int | None) -> str:
    """Write the statement that takes the turn, and remembers the last position that it gives."""
    last = f"LEAST(GREATEST(clock + 1, {NOW}) + {given - 1}, {MAX_POSITION})" if given else "clock"
    current = "" if epoch is None else f" AND epoch = {epoch} AND expires > {NOW}"
    return (
        f"UPDATE wa_sessions SET turn = {to.number}, clock = (@wa_last := {last}), "
        f"deep = {int(to.deep)} WHERE id = {to.ident} AND turn = {to.number - 1} "
        f"AND version <= {FORMAT}{current}"
    )


def _placed(puts: Sequence[Record], given: int) -> list[Placed]:
    """Place records before the last position, which the server alone knows."""
    placed, left = [], given
    for put in puts:
        left -= put.at is None
        placed.append(Placed(put, f"{left}-@wa_last" if put.at is None else -put.at))
    return placed
