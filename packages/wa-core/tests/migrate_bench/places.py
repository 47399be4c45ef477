"""Empty sessions of every kind of store, on servers that are started when they are first needed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wa_conformance.servers import needed

OURS = ("memory", "file", "sqlite", "redis", "mongo", "postgres", "mariadb")
WHOLE = ("arcaelas-file", "arcaelas-redis", "arcaelas-sql")
"""Layouts of others that hold contacts, chats and messages, too."""
AUTH = ("baileys", "baileys-redis", "baileys-mongo", "baileys-sql", "baileys-rows")
"""Layouts of others that hold an auth state and nothing else."""
FOREIGN = (*WHOLE, *AUTH)
SERVERS = {"redis": "redis", "mongo": "mongo-rs", "postgres": "postgres", "mariadb": "mariadb"}

Places = Callable[[str], str]


@contextmanager
def started_servers() -> Iterator[Places]:
    """Start each server when it is first asked for, and give its URL."""
    with ExitStack() as running:
        known: dict[str, str] = {}

        def url(kind: str) -> str:
            if kind not in known:
                known[kind] = running.enter_context(needed(SERVERS[kind])).url
            return known[kind]

        yield url


def empty_place(kind: str, servers: Places, folder: Path) -> str:
    """Name an empty session of a kind, each time another one."""
    name = f"s{secrets.token_hex(6)}"
    local = {
        "memory": f"memory:{name}",
        "file": f"file:{folder}/{name}#bot",
        "sqlite": f"sqlite:{folder}/{name}.db#bot",
        "baileys": f"baileys:{folder}/{name}",
        "arcaelas-file": f"arcaelas-file:{folder}/{name}",
        "baileys-sql": f"baileys-sql:sqlite:{folder}/{name}.db#bot",
        "baileys-rows": f"baileys-rows:sqlite:{folder}/{name}.db#bot",
        "arcaelas-sql": f"arcaelas-sql:sqlite:{folder}/{name}.db",
    }
    if kind in local:
        return local[kind]
    if kind == "baileys-mongo":
        return servers("mongo").replace("mongodb:", "baileys-mongo:", 1) + f"#{name}"
    if kind.endswith("-redis"):
        return servers("redis").replace("redis:", f"{kind}:", 1) + f"#{name}"
    return f"{servers(kind)}#{name}"
