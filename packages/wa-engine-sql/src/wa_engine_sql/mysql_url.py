"""`mysql:` and `mariadb:` URLs: every part goes to asyncmy, under the names that it has there."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import asyncmy
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import EngineUrl

from wa_engine_sql.dialect import Settings
from wa_engine_sql.lines import Connect

_TLS = {
    **{f"ssl_{name}": name for name in ("ca", "capath", "cert", "key", "cipher")},
    "ssl_verify_mode": "verify_mode",
}
_TEXTS = ("unix_socket", "read_default_file", "read_default_group", "program_name")
PARAMETERS = frozenset((*_TLS, *_TEXTS, "ssl", "ssl_check_hostname", "server_public_key"))
"""What a URL may hold for asyncmy, beside user, password, host, port and database."""


def engine_for(url: EngineUrl, settings: Settings) -> AsyncEngine:
    """Make the `AsyncEngine` of a server."""
    connect = connector_for(url, settings)

    async def create(*_: object, **__: object) -> object:
        return await connect()

    return create_async_engine("mysql+asyncmy://", async_creator=create, poolclass=NullPool)


def connector_for(url: EngineUrl, settings: Settings) -> Connect:
    """Make what connects by asyncmy alone."""
    url.refuse_unknown(PARAMETERS)
    given = arguments(url)

    async def connect() -> Any:
        # Rows are said in hexadecimal digits, so no charset ever touches them.
        return await asyncmy.connect(**given, autocommit=True, connect_timeout=settings.timeout)

    return connect


def arguments(url: EngineUrl) -> dict[str, Any]:
    """Return what asyncmy is called with."""
    place = url.place if url.place.startswith("//") else f"//{url.place}"
    try:
        parts = urlsplit(f"mysql:{place}")
        port = parts.port
    except ValueError:
        raise InvalidUrlError("mysql URL", "the port is a number, as in HOST:3306") from None
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise EngineConfigError("no database", "name one: mysql://USER@HOST/DATABASE")
    given: dict[str, Any] = {"host": parts.hostname, "port": port or 0, "database": database}
    given |= {name: url.params[name] for name in _TEXTS if name in url.params}
    if "server_public_key" in url.params:
        given["server_public_key"] = url.params["server_public_key"].encode()
    if parts.username:
        given["user"] = unquote(parts.username)
    if parts.password:
        # As bytes: the driver would write a text in latin-1.
        given["password"] = unquote(parts.password).encode()
    if tls := _tls(url):
        given["ssl"] = tls
    return given


def _tls(url: EngineUrl) -> object:
    found: dict[str, object] = {
        name: url.params[param] for param, name in _TLS.items() if param in url.params
    }
    if "ssl_check_hostname" in url.params:
        found["check_hostname"] = url.flag("ssl_check_hostname")
    return found or url.flag("ssl")
