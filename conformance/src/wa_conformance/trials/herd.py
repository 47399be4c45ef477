"""Servers of several processes, as fail-over sees them: who leads, and whether all are back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from wa_conformance.servers import MongoServer, RedisCluster, Server
from wa_conformance.target import TargetError


class Node(Protocol):
    """One process of a server."""

    def kill(self) -> None:
        """End it by SIGKILL."""

    def start(self) -> None:
        """Start it again, on the same data."""


class Herd(Protocol):
    """A server that goes on when one of its processes dies."""

    def leaders(self) -> Sequence[Node]:
        """Return the nodes that take writes now; as many as there should be, or it is not over."""

    def settled(self) -> bool:
        """Tell whether every node is back, and follows or leads."""


@dataclass(frozen=True, slots=True)
class ServerHerd:
    """The herd of a server that `wa_conformance.servers` has started."""

    server: Server
    _leaders: Callable[[], Sequence[Node]]

    def leaders(self) -> Sequence[Node]:
        """Ask the nodes."""
        try:
            return self._leaders()
        except (OSError, EOFError):
            return ()

    def settled(self) -> bool:
        """Ask the nodes."""
        try:
            return self.server.settled()
        except (OSError, EOFError):
            return False


HERDS: dict[str, Callable[[], Server]] = {
    "redis-cluster": partial(RedisCluster, masters=3, replicas=1),
    "mongo-rs3": partial(MongoServer, members=3),
}
"""The servers that fail over, by the names of their kinds."""
PARAMETERS = {"redis-cluster": {"replicas": "1"}}
"""What a URL must ask for, so that nothing acknowledged can be lost."""


def herd_of(server: Server) -> ServerHerd:
    """See a server as a herd."""
    if isinstance(server, RedisCluster):
        return ServerHerd(server, server.masters)
    if isinstance(server, MongoServer):
        mongo = server
        return ServerHerd(server, lambda: [node for node in (mongo.primary(),) if node])
    raise TargetError(f"{type(server).__name__} does not fail over")
