"""From an engine URL to an `AsyncEngine` of SQLAlchemy, every part of it handed on [U2, U3].

Each kind of database reads its URLs in a module of its own, which may import its driver.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import cast

from sqlalchemy.ext.asyncio import AsyncEngine
from wa_core.storage import DEFAULT_TIMEOUT_S, EngineUrl

from wa_engine_sql.dialect import Settings
from wa_engine_sql.dialects import need_driver
from wa_engine_sql.lines import Connect
from wa_engine_sql.sqlite_url import sqlite_path

_READERS = {
    "sqlite": ("sqlite", "wa_engine_sql.sqlite_url"),
    "postgres": ("postgresql", "wa_engine_sql.postgres_url"),
    "postgresql": ("postgresql", "wa_engine_sql.postgres_url"),
    "mysql": ("mysql", "wa_engine_sql.mysql_url"),
    "mariadb": ("mariadb", "wa_engine_sql.mysql_url"),
}


def engine_for(url: EngineUrl, settings: Settings) -> AsyncEngine:
    """Make the `AsyncEngine` of a URL; it connects when it is used."""
    make = cast("Callable[[EngineUrl, Settings], AsyncEngine]", _reader(url).engine_for)
    return make(url, settings)


def connector_for(url: EngineUrl, settings: Settings) -> Connect:
    """Make what connects by the driver alone."""
    make = cast("Callable[[EngineUrl, Settings], Connect]", _reader(url).connector_for)
    return make(url, settings)


def _reader(url: EngineUrl) -> ModuleType:
    name, module = _READERS[url.scheme]
    need_driver(name)
    return import_module(module)


def is_there(url: EngineUrl) -> bool:
    """Tell whether there is anything to look at: a file may not be made by looking."""
    return url.scheme != "sqlite" or os.path.exists(sqlite_path(url))


def settings_of(url: EngineUrl, *, read_only: bool) -> Settings:
    """Return what a URL asks for beside the place."""
    return Settings(
        durability=url.durability, timeout=url.timeout or DEFAULT_TIMEOUT_S, read_only=read_only
    )
