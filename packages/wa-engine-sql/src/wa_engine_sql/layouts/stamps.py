"""When a row was written, as a position: microseconds since 1970, in UTC.

A moment without a time zone is read as UTC, which is what servers run in; where one does not, all
positions are off by the same hours, and their order stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from wa_core.storage import MAX_POSITION

from wa_engine_sql.layouts.cells import Cell

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def stamp_of(cell: Cell, position: int) -> Any:
    """Return what is bound for a position."""
    moment = _EPOCH + timedelta(microseconds=position)
    if cell.database == "sqlite":
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
    return moment if cell.has_zone else moment.replace(tzinfo=None)


def position_of(raw: object) -> int | None:
    """Return the position of a moment as the driver gives it; None when it is none."""
    if raw is None:
        return 0  # The column may be empty: such a row is older than all others.
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            return None
    if not isinstance(raw, datetime):
        return None
    moment = raw if raw.tzinfo is not None else raw.replace(tzinfo=UTC)
    position = (moment - _EPOCH) // _US
    return position if 0 <= position <= MAX_POSITION else None
