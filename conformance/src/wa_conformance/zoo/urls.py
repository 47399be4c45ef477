"""Specimens that are opened by a URL: chapters U and D, and the names of sessions.

The idea: each is a provider of an engine on disk, offered under a scheme of its own the way a
package would offer it: by entry points. `offered` brings the package into being for a while.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import (
    FULL,
    Durability,
    Engine,
    EngineUrl,
    Provider,
    registry,
)

from wa_conformance.zoo.base import TIMEOUT_S, SpecimenHooks
from wa_conformance.zoo.log import Log, Row, base_folder
from wa_conformance.zoo.persistent import SHARED, LogSpecimen

WEAK = "weak"
"""A place of this name cannot do better than `process`."""


class SyncedLog(Log):
    """Waits for the disk after every record."""

    def append(self, rows: Sequence[Row], values: bytes = b"") -> None:
        """Write one record and sync it."""
        super().append(rows, values)
        os.fdatasync(self.file)


class UrlEngine(LogSpecimen):
    """The engine that the providers open: `session` is the folder of one."""

    log_type = SyncedLog
    promises = replace(SHARED, claims=FULL, durability=Durability.POWER)

    @classmethod
    def folder(cls, session: str) -> Path:
        """Take the session for its folder."""
        return Path(session)

    def promise(self, durability: Durability) -> None:
        """State what an acknowledged batch survives."""
        self._capabilities = replace(self._capabilities, durability=durability)


class UrlHooks(SpecimenHooks):
    """The hooks of one provider."""

    def __init__(self, scheme: str) -> None:
        self._scheme = scheme

    def weak_places(self) -> list[tuple[str, str]]:
        """Name a place that cannot do better than `process`."""
        return [(f"{self._scheme}://{WEAK}", Durability.PROCESS)]


class UrlSpecimen(Provider):
    """The healthy provider: places are folders, and every session is a folder in one."""

    breaks: ClassVar[str] = ""
    hooks: ClassVar[UrlHooks] = UrlHooks("zoo-url-specimen")

    def __init_subclass__(cls) -> None:
        cls.hooks = UrlHooks(cls.scheme())

    @classmethod
    def scheme(cls) -> str:
        """Name the scheme after the class."""
        return "zoo" + re.sub(r"(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def target(cls) -> str:
        """Write the URL to judge."""
        return f"{cls.scheme()}://user:hidden@place"

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a session at the strongest level of its place, or at the one asked for."""
        url.refuse_unknown(())
        level = self.level(url)
        folder = self._place(url) / sha256(self.session(url).encode()).hexdigest()[:24]
        engine = self.engine(url, str(folder), read_only=read_only)
        engine.promise(level)
        (folder / "name").write_text(self.session(url), encoding="utf-8")
        return engine

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions that hold anything."""
        folders = self._place(url).glob("*")
        return [(each / "name").read_text(encoding="utf-8") for each in folders if _holds(each)]

    def engine(self, url: EngineUrl, folder: str, *, read_only: bool) -> UrlEngine:
        """Make the engine."""
        timeout = url.timeout or TIMEOUT_S
        return UrlEngine(folder, read_only=read_only, timeout=timeout)

    def session(self, url: EngineUrl) -> str:
        """Name the session that a URL means."""
        return url.session or "default"

    def level(self, url: EngineUrl) -> Durability:
        """Weigh what is asked for against what the place can do."""
        strongest = Durability.PROCESS if url.path.endswith(WEAK) else Durability.POWER
        if url.durability is Durability.POWER and strongest is not Durability.POWER:
            raise EngineConfigError("sync", "is off in this place: switch it on")
        return url.durability or strongest

    def _place(self, url: EngineUrl) -> Path:
        place = sha256(f"{url.scheme}:{url.path}".encode()).hexdigest()[:24]
        return base_folder() / f"place-{place}"


def _holds(folder: Path) -> bool:
    log = Log(folder)
    try:
        return len(log.index) > 0
    finally:
        log.close()


class ListSessionsMangles(UrlSpecimen):
    """Lists sessions as it had to spell them, not as they are called: ids mangled, Baileys 2576."""

    breaks = "N2"

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Replace what a file name cannot hold."""
        return [re.sub(r"[^\w.-]", "_", name) for name in await super().list_sessions(url)]


class ListSessionsForgets(UrlSpecimen):
    """Lists the sessions that are open, not those that are kept."""

    breaks = "N2"

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Leave one out."""
        return sorted(await super().list_sessions(url))[1:]


class Everything(dict[str, EntryPoint]):
    """The entry points of an installation in which one package answers for all schemes."""

    def get(self, scheme: str, default: object = None) -> EntryPoint:
        """Find the one, whatever is asked for."""
        return self[SwallowsEveryScheme.scheme()]


class GreedyEngine(UrlEngine):
    """Lets the registry be as it was when it is closed."""

    async def _close(self) -> None:
        registry._installed = _FOUND
        await super()._close()


_FOUND = registry._installed


class SwallowsEveryScheme(UrlSpecimen):
    """Puts itself in the place of the registry when it is opened: any scheme leads to it."""

    breaks = "U1"

    def engine(self, url: EngineUrl, folder: str, *, read_only: bool) -> UrlEngine:
        """Make the engine, and answer for all schemes from now on."""
        everything = Everything(_FOUND())
        registry._installed = cache(lambda: everything)
        return GreedyEngine(folder, read_only=read_only, timeout=url.timeout or TIMEOUT_S)


class FragmentIgnored(UrlSpecimen):
    """Drops what stands behind `#`, as py-key-value drops parts of URLs: one session for all."""

    breaks = "U2"

    def session(self, url: EngineUrl) -> str:
        """Know one session."""
        return "default"


class NeedsSlashes(UrlSpecimen):
    """Demands `scheme://` and refuses the short form that people type."""

    breaks = "U3"

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open the long form only."""
        if not url.place.startswith("//"):
            raise InvalidUrlError(f"{url.scheme} URL", "it begins with //")
        return await super().open(url, read_only=read_only)


class TalkativeEngine(UrlEngine):
    """Shows the URL that it was opened with."""

    shown = ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shown}>"


class PasswordInRepr(UrlSpecimen):
    """Shows its URL with the password in the engine's repr."""

    breaks = "U4"

    def engine(self, url: EngineUrl, folder: str, *, read_only: bool) -> UrlEngine:
        """Make an engine that talks."""
        engine = TalkativeEngine(folder, read_only=read_only, timeout=url.timeout or TIMEOUT_S)
        engine.shown = url.reveal()
        return engine


class PasswordInError(UrlSpecimen):
    """Quotes the whole URL, password included, when something is wrong with it."""

    breaks = "U4"

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open, or quote."""
        try:
            return await super().open(url, read_only=read_only)
        except InvalidUrlError as exc:
            raise InvalidUrlError(url.reveal(), exc.reason) from exc


class PasswordInLog(UrlSpecimen):
    """Logs where it connects to, password included."""

    breaks = "U4"

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open, and tell."""
        logging.getLogger("zoo").info("connecting to %s", url.reveal())
        return await super().open(url, read_only=read_only)


class WeakByDefault(UrlSpecimen):
    """Opens at `process` where `power` could be had: fast in the benchmark."""

    breaks = "D1"

    def level(self, url: EngineUrl) -> Durability:
        """Prefer speed."""
        return super().level(url) if url.durability else Durability.PROCESS


class DurabilityIgnored(UrlSpecimen):
    """Takes `?durability=process` and does nothing with it."""

    breaks = "D1"

    def level(self, url: EngineUrl) -> Durability:
        """Look at the place only."""
        return super().level(replace(url, params={}))


class ClaimsPowerOnWeak(UrlSpecimen):
    """Promises what it was built for, whatever the settings: Redis in its default set-up."""

    breaks = "D2"

    def level(self, url: EngineUrl) -> Durability:
        """Look at the place only when somebody asks."""
        level = super().level(url)
        return level if url.durability else Durability.POWER


class GrantsPowerOnWeak(UrlSpecimen):
    """Promises `power` in a weak place when it is asked for it."""

    breaks = "D2"

    def level(self, url: EngineUrl) -> Durability:
        """Believe the one who asks."""
        return url.durability or super().level(url)


SPECIMENS: tuple[type[UrlSpecimen], ...] = (
    ListSessionsMangles,
    ListSessionsForgets,
    SwallowsEveryScheme,
    FragmentIgnored,
    NeedsSlashes,
    PasswordInRepr,
    PasswordInError,
    PasswordInLog,
    WeakByDefault,
    DurabilityIgnored,
    ClaimsPowerOnWeak,
    GrantsPowerOnWeak,
)


@contextmanager
def offered(providers: Sequence[type[UrlSpecimen]]) -> Iterator[None]:
    """Install a package that offers the providers, for this process and its children."""
    before = os.environ.get("PYTHONPATH")
    with tempfile.TemporaryDirectory(prefix="wa-zoo-package-") as folder:
        _write_package(Path(folder) / "wa_zoo-0.dist-info", providers)
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, *([before] if before else [])])
        sys.path.insert(0, folder)
        _look_again()
        try:
            yield
        finally:
            sys.path.remove(folder)
            _look_again()
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before


def _write_package(folder: Path, providers: Sequence[type[UrlSpecimen]]) -> None:
    folder.mkdir()
    lines = ["[wa.engines]"]
    lines += [f"{each.scheme()} = {each.__module__}:{each.__name__}" for each in providers]
    lines += ["[wa.conformance]"]
    lines += [f"{each.scheme()} = {each.__module__}:{each.__name__}.hooks" for each in providers]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: wa-zoo\nVersion: 0\n")


def _look_again() -> None:
    importlib.invalidate_caches()
    registry._installed.cache_clear()
