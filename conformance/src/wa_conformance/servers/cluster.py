"""Redis Cluster: masters that share the slots, and a replica or more behind each.

Built by the commands that `redis-cli --cluster create` sends, so that redis-cli is not needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from wa_conformance.servers.binaries import Product
from wa_conformance.servers.errors import ServerStartError
from wa_conformance.servers.ports import LOOPBACK
from wa_conformance.servers.process import Process, Settings
from wa_conformance.servers.redis import REDIS, RedisNode, talk
from wa_conformance.servers.server import SETTLE_S, Server, wait_until

SLOTS = 16384
NODE_TIMEOUT_MS = 5000
"""A master silent for so long is voted out: long enough for a busy machine's worst pause."""

CLUSTER = Product(
    kind="redis-cluster",
    programs=REDIS.programs,
    variable="WA_TEST_REDIS_CLUSTER_URL",
    apt=REDIS.apt,
    in_wheels=REDIS.in_wheels,
)


class RedisCluster(Server):
    """A Redis Cluster on this machine."""

    product = CLUSTER

    def __init__(
        self,
        *,
        masters: int = 3,
        replicas: int = 0,
        version: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._masters = masters
        self._size = masters * (1 + replicas)
        super().__init__(version=version, settings=settings)

    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        """Make the masters, then the replicas."""
        ours = {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": NODE_TIMEOUT_MS,
            **(settings or {}),
        }
        return [RedisNode(version=version, settings=ours) for _ in range(self._size)]

    def own_url(self) -> str:
        """Return the URL of one node; a client learns of the others there."""
        return f"redis://{LOOPBACK}:{self.node.port}/0?cluster=1"

    def arrange(self) -> None:
        """Give each master its slots, let all meet, and put the replicas behind the masters."""
        ids = []
        for number, node in enumerate(self.nodes):
            with talk(node.port) as redis:
                ids.append(str(redis.ask("CLUSTER", "MYID")))
                if number < self._masters:
                    redis.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                    redis.ask("CLUSTER", "ADDSLOTS", *_share(number, self._masters))
                if number:
                    redis.ask("CLUSTER", "MEET", LOOPBACK, self.node.port)
        for number, node in list(enumerate(self.nodes))[self._masters :]:
            if not wait_until(lambda node=node: self._knows_all(node), SETTLE_S):  # type: ignore[misc]
                raise ServerStartError(self.product.kind, "does not meet", node.log)
            with talk(node.port) as redis:
                redis.ask("CLUSTER", "REPLICATE", ids[number % self._masters])

    def settled(self) -> bool:
        """Every node knows all, says that all slots are served, and every replica follows."""
        return all(self._serves(node) and self._knows_all(node) for node in self.nodes)

    def masters(self) -> list[Process]:
        """Return the nodes that are masters now."""
        return [node for node in self.nodes if _role(node) == "master"]

    def _serves(self, node: Process) -> bool:
        with talk(node.port) as redis:
            state = str(redis.ask("CLUSTER", "INFO"))
            following = str(redis.ask("INFO", "replication"))
        replica = "role:slave" in following
        return "cluster_state:ok" in state and (
            "master_link_status:up" in following if replica else True
        )

    def _knows_all(self, node: Process) -> bool:
        with talk(node.port) as redis:
            lines = str(redis.ask("CLUSTER", "NODES")).splitlines()
        known = [line.split() for line in lines]
        return len(known) == self._size and not any(
            "handshake" in words[2] or "noaddr" in words[2] for words in known
        )


def _share(number: int, masters: int) -> range:
    return range(SLOTS * number // masters, SLOTS * (number + 1) // masters)


def _role(node: Process) -> str:
    with contextlib.suppress(OSError, EOFError), talk(node.port) as redis:
        found = redis.ask("ROLE")
        return str(found[0]) if isinstance(found, list) else ""
    return ""
