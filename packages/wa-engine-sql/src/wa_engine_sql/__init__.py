"""The SQL engine for wa-core: sessions in SQLite, PostgreSQL, MariaDB or MySQL.

`open_engine("sqlite:PATH")` finds it; import `SqlEngine` to give it an `AsyncEngine` of yours.
"""

from __future__ import annotations

from wa_engine_sql.engine import SqlEngine
from wa_engine_sql.provider import SqlProvider

__all__ = ["SqlEngine", "SqlProvider"]
