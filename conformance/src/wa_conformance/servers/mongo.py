"""MongoDB: a single mongod, or a replica set of one or three."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import ClassVar

from wa_conformance.servers.binaries import Product
from wa_conformance.servers.bson import Document, command
from wa_conformance.servers.errors import ServerStartError
from wa_conformance.servers.ports import LOOPBACK
from wa_conformance.servers.process import Process, Settings
from wa_conformance.servers.server import Server

MONGO = Product(
    kind="mongo",
    programs=("mongod",),
    variable="WA_TEST_MONGO_URL",
    apt="",
    in_wheels=("fiftyone/db/bin/mongod",),
)
SET = "wa"
ELECTION_TIMEOUT_MS = 5000
"""A primary silent for so long is voted out: long enough for a busy machine's worst pause."""


class MongoNode(Process):
    """One mongod; its journal is always on."""

    product = MONGO
    defaults: ClassVar[Settings] = {
        "wiredTigerCacheSizeGB": 0.25,
        "setParameter": ["diagnosticDataCollectionEnabled=false"],
    }

    def command(self) -> Sequence[object]:
        """Listen on the loopback address alone, on no socket in /tmp."""
        place = ("--dbpath", self.data, "--port", self.port, "--bind_ip", LOOPBACK)
        return (self._program.path, *place, "--nounixsocket", *self.options())

    def ready(self) -> bool:
        """It answers a hello."""
        return self.ask({"hello": 1}).get("ok") == 1

    def ask(self, words: Document) -> Document:
        """Send it one command."""
        return command(LOOPBACK, self.port, words)


class MongoServer(Server):
    """A mongod on its own (`members=0`), or a replica set of so many members."""

    product = MONGO

    def __init__(
        self, *, members: int = 0, version: str | None = None, settings: Settings | None = None
    ) -> None:
        self._members = members
        super().__init__(version=version, settings=settings)

    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        """Make the one mongod, or the members."""
        ours: Settings = {"replSet": SET, "oplogSize": 64} if self._members else {}
        merged = {**ours, **(settings or {})}
        return [MongoNode(version=version, settings=merged) for _ in range(max(1, self._members))]

    def own_url(self) -> str:
        """Return the URL of the database `wa`."""
        if not self._members:
            return f"mongodb://{LOOPBACK}:{self.node.port}/wa"
        return f"mongodb://{','.join(map(_host, self.nodes))}/wa?replicaSet={SET}"

    def serves(self, url: str, version: str | None) -> bool:
        """A replica set stands for a replica set, a single server for a single one."""
        return version is None and ("replicaSet=" in url) == bool(self._members)

    def arrange(self) -> None:
        """Initiate the replica set."""
        if not self._members:
            return
        members = [{"_id": n, "host": _host(node)} for n, node in enumerate(self.nodes)]
        heartbeats = {
            "electionTimeoutMillis": ELECTION_TIMEOUT_MS,
            "heartbeatIntervalMillis": ELECTION_TIMEOUT_MS // 5,
        }
        config = {"_id": SET, "version": 1, "members": members, "settings": heartbeats}
        said = _ask(self.node, {"replSetInitiate": config})
        if said.get("ok") != 1:
            raise ServerStartError("mongo", f"refuses: {said.get('errmsg')}", self.node.log)

    def settled(self) -> bool:
        """One member is the primary, and every other is a secondary of it."""
        if not self._members:
            return True
        said = [_ask(node, {"hello": 1}) for node in self.nodes]
        writable = [one for one in said if one.get("isWritablePrimary")]
        following = [one for one in said if one.get("secondary")]
        return len(writable) == 1 and len(following) == len(said) - 1

    def primary(self) -> Process | None:
        """Return the member that takes writes now, if one does."""
        for node in self.nodes:
            with contextlib.suppress(OSError, EOFError):
                if _ask(node, {"hello": 1}).get("isWritablePrimary"):
                    return node
        return None


def _ask(node: Process, words: Document) -> Document:
    return command(LOOPBACK, node.port, words)


def _host(node: Process) -> str:
    return f"{LOOPBACK}:{node.port}"
