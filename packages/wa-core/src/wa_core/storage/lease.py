"""The right to write a session, as a value: who holds it, and its place in history [L1, L3].

A lease by itself protects nothing: a stopped process wakes up and believes it still holds one.
What protects is the `epoch`, checked by the store inside the same atomic step as the write.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from wa_core.errors import UsageError, masked, shown

MAX_TTL_S = 2.0**31
"""Some 68 years: no backend counts further in all its units."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a session now, for people who look at it; it may be over when they read it."""

    name: str
    expires_in: float | None = None
    """The seconds that are left of the lease; None where the holder keeps it until it ends."""

    def __repr__(self) -> str:
        return f"<Holder {masked(self.name)!r}>"


class LeaseKeeper(Protocol):
    """Where a lease is renewed and released: the engine that gave it."""

    async def renew_lease(self, lease: Lease, ttl: float) -> None:
        """Prolong `lease`, or raise `FencedError`."""

    async def release_lease(self, lease: Lease) -> None:
        """End `lease`; ending one that is over is no error."""


class Lease:
    """A current or former right to write, held by `holder` under `epoch`."""

    __slots__ = ("_keeper", "epoch", "holder", "ttl")

    def __init__(self, keeper: LeaseKeeper, *, holder: str, epoch: int, ttl: float) -> None:
        self._keeper = keeper
        self.holder = holder
        self.epoch = epoch
        self.ttl = ttl

    async def renew(self, ttl: float | None = None) -> None:
        """Prolong it by `ttl` seconds from now, as the backend counts them [L2]."""
        lasting = self.ttl if ttl is None else check_ttl(ttl)
        await self._keeper.renew_lease(self, lasting)
        self.ttl = lasting

    async def release(self) -> None:
        """End it, so that the next holder need not wait [L2]."""
        await self._keeper.release_lease(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.release()

    def __repr__(self) -> str:
        return f"<Lease epoch {self.epoch}>"


def check_ttl(ttl: float) -> float:
    """Return `ttl` if it is a positive number of seconds within reason."""
    if not (isinstance(ttl, int | float) and 0 < ttl <= MAX_TTL_S):
        raise UsageError(f"a lease lasts a positive number of seconds, not {shown(ttl)}")
    return float(ttl)


def check_holder(holder: str) -> str:
    """Return `holder` if it can name somebody."""
    if not isinstance(holder, str) or not 1 <= len(holder) <= 256 or not holder.isprintable():
        raise UsageError("a lease holder is a printable name of 1 to 256 characters")
    return holder
