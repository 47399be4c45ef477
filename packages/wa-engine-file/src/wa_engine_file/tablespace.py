"""A table space on the disk for what this process may forget: SQLite's own temporary file.

The idea: the file has no name. SQLite makes it for its owner alone where temporary files go
(`SQLITE_TMPDIR`, `TMPDIR`, /var/tmp, /tmp), unlinks it at once, and writes to it only what its
small cache does not hold. Nothing is synced, and nothing of it outlives the process.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from wa_core.errors import EngineUnavailableError

CACHE_KIB = 8 * 1024
MANY = 500
"""How many values one statement asks for: every SQLite takes 999."""

_SETUP = (
    # One transaction for ever: there is nothing to go back to.
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    f"PRAGMA cache_size = -{CACHE_KIB}",
    "BEGIN",
)

Row = tuple[Any, ...]


class TableSpace:
    """One such file; used by one thread at a time, whichever that is."""

    def __init__(self, *tables: str) -> None:
        self._fault: BaseException | None = None
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # Also where nobody closes it: an opening that failed has nobody.
        self.close = weakref.finalize(self, self._database.close)
        for statement in (*_SETUP, *tables):
            self.rows(statement)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a statement and return all it finds."""
        self._check()
        try:
            return self._database.execute(statement, values).fetchall()
        except (sqlite3.Error, MemoryError) as exc:
            raise self._broken(exc) from exc

    def one(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Return the first column of the first row, None when there is none."""
        found = self.rows(statement, values)
        return found[0][0] if found else None

    def each(self, statement: str, values: Iterable[Sequence[object]]) -> int:
        """Run a statement for each set of values; return how many rows it changed."""
        self._check()
        try:
            return self._database.executemany(statement, values).rowcount
        except (sqlite3.Error, MemoryError) as exc:
            raise self._broken(exc) from exc

    def _check(self) -> None:
        if self._fault is not None:
            raise self._broken(self._fault) from self._fault

    def _broken(self, fault: BaseException) -> EngineUnavailableError:
        """After a fault some of a step may be missing: nothing here may be believed any more."""
        self._fault = fault
        return EngineUnavailableError(
            f"the index on the disk failed ({fault}): make room for temporary files, "
            "then close this engine and open it again"
        )
