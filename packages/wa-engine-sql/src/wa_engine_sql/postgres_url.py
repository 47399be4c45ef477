"""`postgres:` URLs: asyncpg reads them itself, with several hosts, TLS files, ~/.pgpass and all."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from wa_core.storage import EngineUrl
from wa_core.storage.url import COMMON

from wa_engine_sql.dialect import Settings
from wa_engine_sql.lines import Connect

_TLS = (
    *("sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
_PLACE = ("host", "port", "user", "password", "passfile", "dbname", "database", "service")
_MORE = ("target_session_attrs", "krbsrvname", "gsslib")
_SETTINGS = ("application_name", "options", "search_path")
PARAMETERS = frozenset((*_TLS, *_PLACE, *_MORE, *_SETTINGS))
"""What asyncpg understands; it would hand anything else to the server as a setting."""


class CutConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that is cut when a call on it is cancelled.

    asyncpg would open another connection, to ask the server to stop: a second wait for a server
    that may have been silent to begin with.
    """

    __slots__ = ()

    def _cancel_current_command(self, *waiters: Any) -> None:
        """Send nothing; `Lines` closes the socket."""


def engine_for(url: EngineUrl, settings: Settings) -> AsyncEngine:
    """Make the `AsyncEngine` of a server."""
    connect = connector_for(url, settings)

    async def create(*_: object, **__: object) -> object:
        return await connect()

    return create_async_engine("postgresql+asyncpg://", async_creator=create, poolclass=NullPool)


def connector_for(url: EngineUrl, settings: Settings) -> Connect:
    """Make what connects by asyncpg alone."""
    url.refuse_unknown(PARAMETERS)
    params = {name: value for name, value in url.params.items() if name not in COMMON}
    place = url.place if url.place.startswith("//") else f"//{url.place}"
    dsn = EngineUrl("postgresql", place, params).reveal()

    async def connect() -> Any:
        return await asyncpg.connect(
            dsn,
            timeout=settings.timeout,
            max_cached_statement_lifetime=0,
            connection_class=CutConnection,
        )

    return connect
