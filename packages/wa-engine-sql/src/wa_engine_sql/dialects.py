"""From SQLAlchemy's name of a database to our dialect for it, and what to install for it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from sqlalchemy.ext.asyncio import AsyncEngine
from wa_core.errors import EngineConfigError

from wa_engine_sql.dialect import Dialect, Settings

_MODULES = {
    "sqlite": ("wa_engine_sql.sqlite", "SqliteDialect", "aiosqlite"),
    "postgresql": ("wa_engine_sql.postgres", "PostgresDialect", "asyncpg"),
    "mysql": ("wa_engine_sql.mysql", "MysqlDialect", "asyncmy"),
    "mariadb": ("wa_engine_sql.mysql", "MysqlDialect", "asyncmy"),
}
_EXTRAS = {"asyncpg": "postgres", "asyncmy": "mysql"}


def dialect_for(engine: AsyncEngine, settings: Settings) -> Dialect:
    """Return our dialect for an `AsyncEngine`."""
    name, driver = engine.dialect.name, engine.dialect.driver
    if name not in _MODULES or driver != _MODULES[name][2]:
        known = ", ".join(sorted({f"{kind}+{found[2]}" for kind, found in _MODULES.items()}))
        raise EngineConfigError(f"{name}+{driver}", f"this engine speaks {known}")
    module, kind, _ = _MODULES[name]
    return cast("Dialect", getattr(import_module(module), kind)(settings))


def need_driver(name: str) -> None:
    """Raise `EngineConfigError` that says what to install when the driver is missing."""
    driver = _MODULES[name][2]
    try:
        import_module(driver)
    except ModuleNotFoundError as exc:
        extra = _EXTRAS.get(driver)
        package = f"'wa-engine-sql[{extra}]'" if extra else driver
        raise EngineConfigError(
            f"the driver {driver} is missing", f"pip install {package}"
        ) from exc
