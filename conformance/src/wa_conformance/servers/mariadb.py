"""MariaDB, or MySQL where that is installed: one server, flushed at every commit."""

from __future__ import annotations

import getpass
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from wa_conformance.servers.binaries import Product
from wa_conformance.servers.errors import ServerStartError
from wa_conformance.servers.ports import LOOPBACK
from wa_conformance.servers.process import Process, Settings
from wa_conformance.servers.server import Server

MARIADB = Product(
    kind="mariadb",
    programs=("mariadbd", "mysqld"),
    variable="WA_TEST_MYSQL_URL",
    apt="mariadb-server",
)
DATABASE = "wa"
_INSTALLERS = ("mariadb-install-db", "mysql_install_db")
_GREETING = 10
_SCRATCH = "scratch"
_PATIENCE_S = 5.0


class MariaDbNode(Process):
    """One mariadbd; root has no password and comes from this machine alone."""

    product = MARIADB
    defaults: ClassVar[Settings] = {
        "innodb-flush-log-at-trx-commit": 1,
        "innodb-buffer-pool-size": "64M",
        "innodb-log-file-size": "16M",
    }

    def prepare(self, data: Path) -> None:
        """Make the system tables."""
        self._own(_SCRATCH)
        words = (f"--user={getpass.getuser()}", f"--datadir={data}", self._scratch())
        if "mariadb" not in self._program.path.resolve().name:
            self.run_tool(self._program.path, "--no-defaults", "--initialize-insecure", *words)
            return
        normal = ("--auth-root-authentication-method=normal", "--skip-test-db")
        small = "--innodb-log-file-size=16M"
        self.run_tool(self._installer(), "--no-defaults", *words, *normal, small)

    def command(self) -> Sequence[object]:
        """Listen on the loopback address; the file of first words makes the database."""
        first = self.folder / "init.sql"
        first.write_text(f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n")
        return (
            self._program.path,
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.data}",
            self._scratch(),
            f"--port={self.port}",
            f"--bind-address={LOOPBACK}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={first}",
            *self.options(),
        )

    def ready(self) -> bool:
        """It greets."""
        with socket.create_connection((LOOPBACK, self.port), _PATIENCE_S) as connection:
            return connection.recv(5)[4:] == bytes([_GREETING])

    def _scratch(self) -> str:
        # A server that begins clears the folder of temporary tables, its neighbours' too:
        # in a folder that they share, one makes the other fail, or crash.
        return f"--tmpdir={self.folder / _SCRATCH}"

    def _installer(self) -> Path:
        beside = self._program.path.resolve().parent
        for name in _INSTALLERS:
            for folder in (beside, beside.parent / "bin", beside.parent / "scripts"):
                if (folder / name).exists():
                    return folder / name
            if found := shutil.which(name):
                return Path(found)
        raise ServerStartError("mariadb", "comes without mariadb-install-db", "")


class MariaDbServer(Server):
    """A MariaDB or MySQL of any version, or of `version`."""

    product = MARIADB

    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        """Make its one server."""
        return [MariaDbNode(version=version, settings=settings)]

    def own_url(self) -> str:
        """Return the URL of an empty database."""
        return f"mariadb://root@{LOOPBACK}:{self.node.port}/{DATABASE}"
