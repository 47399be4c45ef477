"""From the URL of a place and a session to an open engine [U2, U3]."""

from __future__ import annotations

from wa_core.storage import Capabilities, Durability, Engine, EngineUrl, Provider

from wa_engine_sql.dialect import Settings
from wa_engine_sql.dialects import dialect_for
from wa_engine_sql.engine import SqlEngine
from wa_engine_sql.place import Place, Share, in_time
from wa_engine_sql.sqlite_url import sqlite_path
from wa_engine_sql.urls import connector_for, engine_for, is_there, settings_of

DEFAULT_SESSION = "default"


class SqlProvider(Provider):
    """Opens databases."""

    best = Capabilities(durability=Durability.POWER, shared=True)

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a session; engines on one database share its connections."""
        settings = settings_of(url, read_only=read_only)
        share = _share(url, settings)
        name = url.session if url.session is not None else DEFAULT_SESSION
        place = share.place
        try:
            durability = await in_time(
                place.check(name.encode(), read_only=read_only), settings.timeout
            )
        except BaseException:
            share.abandon()
            raise
        return SqlEngine(
            place.engine,
            name,
            timeout=settings.timeout,
            share=share,
            durability=durability,
            read_only=read_only,
        )

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions that hold records."""
        settings = settings_of(url, read_only=True)
        if not is_there(url):
            return []
        share = _share(url, settings)
        try:
            names = await in_time(_names(share.place), settings.timeout)
        except BaseException:
            share.abandon()
            raise
        await in_time(share.leave(), settings.timeout)
        return names

    def absolute(self, url: EngineUrl) -> EngineUrl:
        """Name a file by its whole path; a server is the same from everywhere."""
        return url.located(sqlite_path(url)) if url.scheme == "sqlite" else url


async def _names(place: Place) -> list[str]:
    async with place.reading() as line:
        if await place.dialect.version(line, b"") is None:
            return []
        return [name.decode() for name in await place.dialect.sessions(line)]


def _share(url: EngineUrl, settings: Settings) -> Share:
    def make() -> Place:
        engine = engine_for(url, settings)
        return Place(engine, dialect_for(engine, settings), connector_for(url, settings))

    return Share((url.with_session(None).reveal(), settings), make)
