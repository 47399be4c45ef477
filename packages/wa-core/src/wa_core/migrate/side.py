"""One side of a migration: the URL of a store, and the ways to open it."""

from __future__ import annotations

from dataclasses import dataclass

from wa_core.errors import UsageError
from wa_core.storage import (
    Engine,
    EngineUrl,
    lasting_url,
    open_engine,
    thrifty_url,
    without_secrets,
)


@dataclass(frozen=True, slots=True, repr=False)
class Side:
    """The source or the target."""

    url: str
    """As it was typed; it may hold a password."""

    def __post_init__(self) -> None:
        if EngineUrl.parse(self.url).flag("readonly"):
            raise UsageError("wa-migrate marks both sides: leave out readonly=1")

    async def open(self, *, read_only: bool = False) -> Engine:
        """Open the store over connections of its own, however large it is in little memory."""
        return await open_engine(thrifty_url(self.url), read_only=read_only)

    @property
    def record(self) -> str:
        """The URL as the other side's marker keeps it."""
        return lasting_url(self.url)

    def is_at(self, record: str) -> bool:
        """Tell whether a marker's URL is this side; passwords and patience do not matter."""
        return _identity(self.record) == _identity(record)

    def __str__(self) -> str:
        return str(EngineUrl.parse(self.url))

    __repr__ = __str__


def _identity(url: str) -> tuple[object, ...]:
    parsed = EngineUrl.parse(without_secrets(url, variables=False))
    params = {name: value for name, value in parsed.params.items() if name != "timeout"}
    return parsed.scheme, parsed.place, sorted(params.items()), parsed.session
