"""A storage engine for wa-core on SQLite, PostgreSQL, MariaDB and MySQL."""

from __future__ import annotations
