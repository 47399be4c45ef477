"""Where the program of a server is: on PATH, where systems put servers, in a wheel from PyPI.

A program counts when it runs and has the wanted version; one that does not is passed over, and
named in the sentence that a test without its server shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wa_conformance.servers.errors import ServerNotFoundError

WHEELS = "WA_SERVER_WHEELS"
"""Names an environment whose wheels serve, too: some exist for one version of Python alone."""

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/lib/postgresql/*/bin", "/opt/homebrew/bin")
_PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Product:
    """What a server is called in the places where it may be."""

    kind: str
    programs: tuple[str, ...]
    variable: str
    apt: str
    in_wheels: tuple[str, ...] = ()

    @property
    def install(self) -> tuple[str, ...]:
        """What a machine without it may do."""
        wheel = ("pip install 'wa-conformance[servers]'",) if self.in_wheels else ()
        apt = (f"apt-get install {self.apt}",) if self.apt else ()
        return (*wheel, *apt, f"set {self.variable} to the URL of one")


@dataclass(frozen=True, slots=True)
class Program:
    """A server's program that runs here."""

    path: Path
    version: str
    libraries: tuple[Path, ...] = ()


def find_program(product: Product, version: str | None = None, user: int | None = None) -> Program:
    """Return the first program that runs and has the version (`7` is any 7.x)."""
    passed_over = []
    for path in candidates(product):
        libraries = old_openssl(path)
        found = version_of(path, libraries, user)
        if found and (version is None or f"{found}.".startswith(f"{version}.")):
            return Program(path, found, libraries)
        passed_over.append(f"{path} is {found}" if found else f"{path} does not run")
    wanted = product.kind if version is None else f"{product.kind} {version}"
    raise ServerNotFoundError(wanted, looked_at=passed_over, install=product.install)


def candidates(product: Product) -> Iterator[Path]:
    """Name the files that may be the program, best first, each once."""
    seen = set()
    for path in _places(product):
        real = path.resolve()
        if real not in seen and os.access(real, os.X_OK) and real.is_file():
            seen.add(real)
            yield path


def site_folders() -> Iterator[Path]:
    """Name the folders of this environment's wheels, and of the one that WA_SERVER_WHEELS names."""
    for name in ("purelib", "platlib"):
        yield Path(sysconfig.get_path(name))
    if other := os.environ.get(WHEELS):
        yield from sorted(Path(other).glob("lib/python*/site-packages"))


def old_openssl(path: Path) -> tuple[Path, ...]:
    """Return the libraries of OpenSSL 1.1 for a program that was linked with them.

    The mongod of the wheel needs them, no system has them any more, and another wheel carries them.
    """
    if "site-packages" not in path.parts or path.name != "mongod":
        return ()
    for site in site_folders():
        folder = site / "psycopg2_binary.libs"
        libraries = (*folder.glob("libssl-*.so.1.1"), *folder.glob("libcrypto-*.so.1.1"))
        if len(libraries) == 2:
            return libraries
    return ()


def library_path(libraries: Sequence[Path], folder: Path) -> Mapping[str, str]:
    """Give libraries their plain names in a folder, and return the setting that leads there."""
    for library in libraries:
        (folder / re.sub(r"-[0-9a-f]+", "", library.name)).symlink_to(library)
    return {"LD_LIBRARY_PATH": str(folder)} if libraries else {}


@lru_cache
def version_of(path: Path, libraries: Sequence[Path], user: int | None) -> str:
    """Ask a program for its version; an empty text is the answer of one that does not run."""
    with tempfile.TemporaryDirectory(prefix="wa-") as folder:
        environment = {**os.environ, **library_path(libraries, Path(folder))}
        try:
            said = subprocess.run(
                (str(path), "--version"),
                capture_output=True,
                text=True,
                check=True,
                cwd="/",
                env=environment,
                user=user,
                timeout=_PATIENCE_S,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
    found = re.search(r"\d+\.\d+(\.\d+)*", said.stdout)
    return found.group() if found else ""


def _places(product: Product) -> Iterator[Path]:
    for program in product.programs:
        # Not only the first of a name: an environment with a wheel may hide the system's version.
        for folder in os.get_exec_path():
            yield Path(folder) / program
        for pattern in SYSTEM_FOLDERS:
            yield from sorted(Path("/").glob(f"{pattern[1:]}/{program}"), reverse=True)
    for site in site_folders():
        for pattern in product.in_wheels:
            yield from sorted(site.glob(pattern))
