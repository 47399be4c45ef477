"""How a rig opens engines through a line of its own: the URL with another host and port."""

from __future__ import annotations

import re
from typing import Protocol

from wa_core.storage import Engine, EngineUrl, open_engine

from wa_conformance.target import TargetError, UrlTarget
from wa_conformance.trials.proxy import LOOPBACK

PORTS = {
    "redis": 6379,
    "mongodb": 27017,
    "mongo": 27017,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
}
"""The schemes whose line a proxy can stand in, and their usual ports."""
MIRRORED = frozenset({"redis", "mongodb", "mongo"})
"""Where a request means the same on a connection of its own; in SQL it belongs to a session."""
_PLACE = re.compile(r"(?P<slashes>(?://)?)(?P<user>(?:[^/@]*@)?)(?P<hosts>[^/]*)(?P<rest>.*)", re.S)


class Door(Protocol):
    """Opens engines on one server, directly or through a proxy."""

    @property
    def upstream(self) -> tuple[str, int]:
        """Where the server listens."""

    @property
    def duplicates(self) -> bool:
        """Whether a request may be delivered twice, the second time on its own."""

    async def open(self, session: str, *, timeout: float, port: int | None = None) -> Engine:
        """Open a session, directly or through a port of the loopback."""

    async def forget(self, session: str) -> None:
        """Remove what an emptied session leaves behind."""


class UrlDoor:
    """The door of an engine URL with one host."""

    def __init__(self, text: str) -> None:
        self._url = EngineUrl.parse(text).with_session(None)
        self._target = UrlTarget(text)
        place = _PLACE.fullmatch(self._url.place)
        if self._url.scheme not in PORTS or place is None:
            known = ", ".join(PORTS)
            raise TargetError(f"no proxy can stand before {self._url.scheme}: (it can: {known})")
        self._place = place
        self.upstream = self._host_and_port(place["hosts"])
        self.duplicates = self._url.scheme in MIRRORED

    async def open(self, session: str, *, timeout: float, port: int | None = None) -> Engine:
        """Open a session, directly or through a port of the loopback."""
        params = {**self._url.params, "timeout": f"{timeout:g}"}
        if self._url.scheme.startswith("mongo"):
            # Else the driver asks the server where it lives, and goes there.
            params["directConnection"] = "true"
        place = self._url.place if port is None else self._through(port)
        return await open_engine(EngineUrl(self._url.scheme, place, params, session))

    async def forget(self, session: str) -> None:
        """Remove what an emptied session leaves behind."""
        await self._target.hooks.forget(self._target.url(session))

    def _through(self, port: int) -> str:
        place = self._place
        return f"{place['slashes']}{place['user']}{LOOPBACK}:{port}{place['rest']}"

    def _host_and_port(self, hosts: str) -> tuple[str, int]:
        host, colon, port = hosts.rpartition(":")
        if not colon:
            host, port = hosts, str(PORTS[self._url.scheme])
        if "," in hosts or not port.isdigit():
            raise TargetError("a proxy stands before one host: give one, as HOST:PORT")
        return host.strip("[]") or LOOPBACK, int(port)
