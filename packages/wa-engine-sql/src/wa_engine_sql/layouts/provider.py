"""From `baileys-sql:`, `baileys-rows:` and `arcaelas-sql:` URLs to open engines [U2, U3]."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import FULL, Capabilities, Durability, Engine, EngineUrl, Provider

from wa_engine_sql.dialect import Settings
from wa_engine_sql.dialects import dialect_for
from wa_engine_sql.layouts import promises
from wa_engine_sql.layouts.cells import owner_is
from wa_engine_sql.layouts.engine import LayoutEngine
from wa_engine_sql.layouts.hand import Hand
from wa_engine_sql.layouts.rows import Rows
from wa_engine_sql.layouts.spellings import Arcaelas, BaileysRows, BaileysTables, Layout, Shelf
from wa_engine_sql.layouts.tables import Stand, check_whole, found
from wa_engine_sql.layouts.turns import Turns
from wa_engine_sql.layouts.url import database_url, identifiers
from wa_engine_sql.place import Place, Share, in_time
from wa_engine_sql.sqlite_url import sqlite_path
from wa_engine_sql.urls import engine_for, is_there, settings_of

DEFAULT_SESSION = "default"


class LayoutProvider(Provider):
    """Opens the tables of another tool."""

    best = Capabilities(durability=Durability.POWER, shared=True, claims=FULL - promises.NEVER)
    names: ClassVar[dict[str, str]] = {}
    """The tables and columns that the URL may name, and what they are called otherwise."""
    more: ClassVar[tuple[str, ...]] = ()
    """What else it may hold."""

    @abstractmethod
    def layout(self, url: EngineUrl) -> Layout:
        """Return the layout, with the names that the URL gives."""

    def database(self, url: EngineUrl) -> EngineUrl:
        """Return the URL of the database that the tables are in."""
        return database_url(url, {*self.names, *self.more})

    def session(self, url: EngineUrl) -> str:
        """Return the session that the URL names."""
        return DEFAULT_SESSION if url.session is None else url.session

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a session; tables that are missing are made when something is written."""
        settings = settings_of(url, read_only=read_only)
        layout = self.layout(url)
        session = self.session(url)
        share = _share(self.database(url), settings)
        turns = Turns(share.place, f"{layout.shelves[0].table}#{session}", settings.timeout)
        try:
            stands, durability = await in_time(
                _survey(share.place, turns, layout, settings), settings.timeout
            )
            _check_session(stands, session)
        except BaseException:
            share.abandon()
            raise
        return LayoutEngine(
            layout,
            session,
            [Rows(stand, session) for stand in stands],
            promises.capabilities(layout, stands, durability, read_only=read_only),
            turns=turns,
            share=share,
            timeout=settings.timeout,
        )

    def absolute(self, url: EngineUrl) -> EngineUrl:
        """Name a file by its whole path; a server is the same from everywhere."""
        database = self.database(url)
        if database.scheme != "sqlite":
            return url
        path = database.located(sqlite_path(database)).place
        return EngineUrl(url.scheme, f"sqlite:{path}", url.params, url.session)

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions that hold rows."""
        settings = settings_of(url, read_only=True)
        layout = self.layout(url)
        database = self.database(url)
        if not is_there(database):
            return []
        share = _share(database, settings)
        turns = Turns(share.place, "", settings.timeout)

        async def work(hand: Hand) -> set[str]:
            names: set[str] = set()
            for stand in await _found(hand, layout):
                if stand.is_there:
                    names |= await Rows.owners(hand, stand, DEFAULT_SESSION)
            return names

        try:
            names = await in_time(turns.read(work), settings.timeout)
        except BaseException:
            share.abandon()
            raise
        await in_time(share.leave(), settings.timeout)
        return sorted(names)


class BaileysSqlProvider(LayoutProvider):
    """`baileys-sql:`: the tables `auth_creds` and `signal_keys`."""

    def layout(self, url: EngineUrl) -> Layout:
        """Return the layout."""
        return BaileysTables()


class BaileysRowsProvider(LayoutProvider):
    """`baileys-rows:`: one table, whose names the URL may change."""

    names: ClassVar[dict[str, str]] = {
        "table": "baileys_sessions",
        "owner": "owner",
        "key": "key",
        "value": "value",
    }
    more: ClassVar[tuple[str, ...]] = ("kinds",)

    def layout(self, url: EngineUrl) -> Layout:
        """Return the layout; `?kinds=` names kinds of keys that Baileys did not have before."""
        names = identifiers(url, self.names)
        if len({names["owner"], names["key"], names["value"]}) != 3:
            raise InvalidUrlError("owner, key and value", "they are three columns")
        shelf = Shelf(names["table"], names["owner"], (names["key"],), names["value"])
        kinds = tuple(kind for kind in url.params.get("kinds", "").split(",") if kind)
        return BaileysRows((shelf,), kinds=kinds)


class ArcaelasSqlProvider(LayoutProvider):
    """`arcaelas-sql:`: the table `storage`, which is one session."""

    names: ClassVar[dict[str, str]] = {"table": "storage"}

    def layout(self, url: EngineUrl) -> Layout:
        """Return the layout."""
        return Arcaelas((Shelf(identifiers(url, self.names)["table"], None, ("key",), "data"),))

    def session(self, url: EngineUrl) -> str:
        """Return the one session that such a table is."""
        if url.session not in (None, DEFAULT_SESSION):
            raise InvalidUrlError(
                f"{url.scheme} URL", "a table is one session: name another with ?table=, not with #"
            )
        return DEFAULT_SESSION


async def _found(hand: Hand, layout: Layout) -> list[Stand]:
    return [await hand.run_sync(found, shelf, is_dated=layout.is_dated) for shelf in layout.shelves]


async def _survey(
    place: Place, turns: Turns, layout: Layout, settings: Settings
) -> tuple[list[Stand], Durability]:
    """Look at the tables, and at what the database promises for them [D2]."""
    postgres = place.engine.dialect.name == "postgresql"

    async def work(hand: Hand) -> tuple[list[Stand], Durability | None]:
        stands = await _found(hand, layout)
        if settings.read_only and not any(stand.is_there for stand in stands):
            tables = " and ".join(shelf.table for shelf in layout.shelves)
            raise EngineConfigError("nothing to read", f"this database has no table {tables}")
        for stand in stands:
            if stand.is_there and not settings.read_only:
                await hand.run_sync(check_whole, stand.shelf)
        asked = settings.durability
        return stands, await promises.of_postgres(hand, layout, asked) if postgres else None

    stands, durability = await turns.read(work)
    if durability is None:
        async with place.reading() as line:
            durability = await place.dialect.durability(line)
    return stands, durability


def _check_session(stands: Sequence[Stand], session: str) -> None:
    for stand in stands:
        if stand.owner is not None and not owner_is(stand.owner, session):
            column = f"{stand.shelf.table}.{stand.owner.name}"
            raise InvalidUrlError("#session", f"the column {column} cannot hold this name")


def _share(url: EngineUrl, settings: Settings) -> Share:
    def make() -> Place:
        engine = engine_for(url, settings)
        # An error of SQLAlchemy would quote the values of its statement.
        engine.sync_engine.hide_parameters = True
        return Place(engine, dialect_for(engine, settings))

    return Share(("layouts", url.reveal(), settings), make)
