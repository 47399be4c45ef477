"""`sqlite:` URLs, in SQLAlchemy's meaning: three slashes and a relative path, or four and an
absolute one. `sqlite:PATH` is what people type.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import aiosqlite
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import Durability, EngineUrl

from wa_engine_sql.dialect import Settings
from wa_engine_sql.lines import Connect
from wa_engine_sql.sqlite_file import check_not_lost, make_private


def engine_for(url: EngineUrl, settings: Settings) -> AsyncEngine:
    """Make the `AsyncEngine` of a file, and the file if need be."""
    query = {"mode": _mode(settings), "uri": "true"}
    place = URL.create("sqlite+aiosqlite", database=_file(url, settings), query=query)
    return create_async_engine(place, poolclass=NullPool, connect_args={"timeout": 0})


def connector_for(url: EngineUrl, settings: Settings) -> Connect:
    """Make what connects by aiosqlite alone."""
    name = f"{_file(url, settings)}?mode={_mode(settings)}"

    async def connect() -> Any:
        connection = aiosqlite.connect(name, uri=True, timeout=0)
        # A disk that hangs must not keep the program from ending. Older versions are the thread.
        thread: Any = getattr(connection, "_thread", connection)
        thread.daemon = True
        return await connection

    return connect


def _mode(settings: Settings) -> str:
    return "ro" if settings.read_only else "rw"


def _file(url: EngineUrl, settings: Settings) -> str:
    """Write the path as SQLite reads URIs; make the file if need be."""
    url.refuse_unknown(())
    if settings.durability is Durability.VOLATILE:
        raise EngineConfigError("durability", "sqlite: offers power and process")
    path = sqlite_path(url)
    if not settings.read_only:
        make_private(path)
    elif not os.path.exists(path):
        raise EngineConfigError("nothing to read", "there is no such file: check the path")
    check_not_lost(path)
    return f"file:{quote(os.fsencode(path))}"


def sqlite_path(url: EngineUrl) -> str:
    """Return the path of the file."""
    path = url.path.removeprefix("/") if url.place.startswith("//") else url.path
    if not path or "\0" in path:
        raise InvalidUrlError("sqlite URL", "it names a file, as in sqlite:wa.db#my-bot")
    if path.startswith(":memory:"):
        raise EngineConfigError("sqlite::memory:", "for a session in memory use memory:")
    return os.path.abspath(os.path.expanduser(path))
