"""The storage contract: what an engine promises, and how one is found.

An engine keeps the state of one session. Write against `Engine`, open with `open_engine(url)`;
to write an engine of your own, see docs/write-your-own-engine.md.
"""

from __future__ import annotations

from wa_core.storage.batch import MAX_POSITION, Batch, Delete, Operation, Put
from wa_core.storage.cached import CachedEngine
from wa_core.storage.capabilities import MIN_MAX_VALUE, WRAPPING, Capabilities, Durability
from wa_core.storage.clauses import CLAUSES, CONTRACT_VERSION, CORE, FULL, Clause, Level
from wa_core.storage.engine import DEFAULT_TIMEOUT_S, Engine, Entry
from wa_core.storage.keys import MAX_KEY_BYTES, check_key, check_prefix, is_key
from wa_core.storage.lease import Holder, Lease
from wa_core.storage.leasebook import LeaseBook
from wa_core.storage.memory import MemoryEngine, MemoryStore
from wa_core.storage.ordered import OrderedIndex
from wa_core.storage.position import PositionClock
from wa_core.storage.provider import SCRATCH, Provider, Wrapper
from wa_core.storage.readonly import ReadOnlyEngine
from wa_core.storage.registry import (
    bare_url,
    installed_schemes,
    lasting_url,
    list_sessions,
    open_engine,
    thrifty_url,
)
from wa_core.storage.three_method import ThreeMethodEngine
from wa_core.storage.traced import OperationStats, TracedEngine
from wa_core.storage.url import EngineUrl, without_secrets
from wa_core.storage.wrapper import WrapperEngine

__all__ = [
    "CLAUSES",
    "CONTRACT_VERSION",
    "CORE",
    "DEFAULT_TIMEOUT_S",
    "FULL",
    "MAX_KEY_BYTES",
    "MAX_POSITION",
    "MIN_MAX_VALUE",
    "SCRATCH",
    "WRAPPING",
    "Batch",
    "CachedEngine",
    "Capabilities",
    "Clause",
    "Delete",
    "Durability",
    "Engine",
    "EngineUrl",
    "Entry",
    "Holder",
    "Lease",
    "LeaseBook",
    "Level",
    "MemoryEngine",
    "MemoryStore",
    "Operation",
    "OperationStats",
    "OrderedIndex",
    "PositionClock",
    "Provider",
    "Put",
    "ReadOnlyEngine",
    "ThreeMethodEngine",
    "TracedEngine",
    "Wrapper",
    "WrapperEngine",
    "bare_url",
    "check_key",
    "check_prefix",
    "installed_schemes",
    "is_key",
    "lasting_url",
    "list_sessions",
    "open_engine",
    "thrifty_url",
    "without_secrets",
]
