"""What the server is set up for: how much it keeps, and whether it throws away [D2].

`CONFIG GET` says it all; where a host forbids that, `INFO` says less, and what nobody says is not
promised.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from wa_core.errors import EngineConfigError, StorageError, masked
from wa_core.storage import Durability

from wa_engine_redis.line import Line

_log = logging.getLogger(__name__)

_RANK = (Durability.VOLATILE, Durability.PROCESS, Durability.POWER)

Settings = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Promise:
    """What the weakest server gives, and why."""

    durability: Durability
    setting: str
    reason: str
    fix: str


_POWER = Promise(Durability.POWER, "appendfsync", "always", "nothing to do")
_NO_AOF = Promise(
    Durability.VOLATILE,
    "appendonly",
    "no, so that what came after the last snapshot is lost with the server",
    "set appendonly yes and appendfsync always",
)
_PAUSED = Promise(
    Durability.PROCESS,
    "no-appendfsync-on-rewrite",
    "yes, so that nothing is synced while the log is rewritten",
    "set no-appendfsync-on-rewrite no",
)
_UNSYNCED = Promise(
    Durability.PROCESS,
    "appendfsync",
    "no, so that the system decides when to sync",
    "set appendfsync always",
)
_EVERYSEC = Promise(
    Durability.VOLATILE,
    "appendfsync",
    "everysec, with which a reply may come before the write when the disk is slow",
    "set appendfsync always",
)
_UNKNOWN = Promise(
    Durability.VOLATILE,
    "CONFIG GET",
    "forbidden here, and INFO does not tell appendfsync",
    "allow CONFIG GET to this user",
)


async def read_settings(line: Line) -> list[Settings]:
    """Ask every server that may hold the session."""
    try:
        return [*await line.ask_all(("CONFIG GET", "*append*"), ("CONFIG GET", "maxmemory*"))]
    except StorageError as exc:
        if exc.retryable:
            raise
    info = await line.ask_all(("INFO", "persistence"), ("INFO", "memory"))
    return [_translated(each) for each in info]


def refuse_eviction(servers: list[Settings]) -> None:
    """Raise where Redis may throw keys away to make room."""
    for settings in servers:
        policy = settings.get("maxmemory-policy", "noeviction")
        limited = settings.get("maxmemory", "0") != "0"
        # A policy of the volatile kind takes keys that have a time to live; ours have none.
        if limited and policy.startswith("allkeys"):
            raise EngineConfigError(
                f"maxmemory-policy {policy}",
                "redis may evict credentials: set it to noeviction, or open with ?allow_eviction=1",
            )


def promise_of(servers: list[Settings]) -> Promise:
    """Say what the weakest of the servers gives."""
    promises = [_promise(settings) for settings in servers]
    return min(promises, key=lambda each: _RANK.index(each.durability), default=_UNKNOWN)


def chosen(given: Promise, asked: Durability | None) -> Durability:
    """Choose the level that was asked for, or the strongest that the server gives [D1]."""
    if asked is None:
        return given.durability
    if _RANK.index(asked) > _RANK.index(given.durability):
        raise EngineConfigError(
            f"durability={asked}", f"{given.setting} is {given.reason}; {given.fix}"
        )
    return asked


@dataclass(frozen=True, slots=True)
class Terms:
    """What whoever opens the session asks for."""

    durability: Durability | None = None
    allow_eviction: bool = False


async def agreed(line: Line, terms: Terms, prefix: bytes) -> Durability:
    """Compare the terms with what the servers give; return the level, or raise [D1, D2]."""
    servers = await read_settings(line)
    if not terms.allow_eviction:
        refuse_eviction(servers)
    given = promise_of(servers)
    level = chosen(given, terms.durability)
    if level is not Durability.POWER:
        why = f"{given.setting} is {given.reason}" if level is given.durability else "as asked for"
        name = masked(prefix.decode())
        _log.warning("redis session %s durability is %s: %s", name, level, why)
    return level


def _promise(settings: Settings) -> Promise:
    if settings.get("appendonly") != "yes":
        return _NO_AOF if "appendonly" in settings else _UNKNOWN
    match settings.get("appendfsync"):
        case "always":
            return _PAUSED if settings.get("no-appendfsync-on-rewrite") == "yes" else _POWER
        case "no":
            return _UNSYNCED
        case "everysec":
            return _EVERYSEC
    return _UNKNOWN


def _translated(info: Settings) -> Settings:
    """Put what `INFO` says under the names that `CONFIG` uses."""
    found = {
        "maxmemory": str(info.get("maxmemory", "0")),
        "maxmemory-policy": info.get("maxmemory_policy", "noeviction"),
    }
    if "aof_enabled" in info:
        found["appendonly"] = "yes" if str(info["aof_enabled"]) == "1" else "no"
    return found
