"""Holding a session while it is moved: waiting for it, taking its lease, keeping that alive.

A lease that is lost ends the run at once: somebody else writes from then on.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from wa_core.errors import EngineBusyError, LeaseHeldError
from wa_core.migrate.group import together
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.storage import Engine, Lease

HOLDER = "wa-migrate"
_GLANCE_S = 0.5

T = TypeVar("T")


def holder_of(move_id: str) -> str:
    """Name this run, for those who find the session held."""
    return f"{HOLDER} {move_id} (pid {os.getpid()} on {socket.gethostname()})"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a holder is waited for."""

    seconds: float
    listener: Listener

    async def for_opening(self, opening: Callable[[], Awaitable[T]], *, takeover: bool) -> T:
        """Open a store; with `takeover`, wait until another writer has closed it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds
        while True:
            try:
                return await opening()
            except EngineBusyError as exc:
                if not takeover or loop.time() >= deadline:
                    raise
                self.listener(Progress(Phase.WAITING, note=f"for {exc.holder} to stop"))
            # No store tells when it is closed, so it is asked again and again.
            await asyncio.sleep(_GLANCE_S)

    async def for_lease(
        self,
        engine: Engine,
        holder: str,
        ttl: float,
        *,
        announce: Callable[[], Awaitable[None]] | None,
    ) -> Lease | None:
        """Take the lease of a session; None where the layout has none.

        With `announce`, a holder is asked to stop and waited for. A dead wa-migrate asks for no
        announcement: its lease runs out by itself.
        """
        if "L3" not in engine.capabilities.claims:
            return None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.seconds
        while True:
            try:
                return await engine.acquire(holder, ttl)
            except LeaseHeldError as exc:
                ours = exc.holder.startswith(HOLDER) and exc.holder != holder
                if (not ours and announce is None) or loop.time() >= deadline:
                    raise
                if announce is not None:
                    await announce()
                self.listener(Progress(Phase.WAITING, note=f"for {exc.holder!r} to stop"))
                pause = min(_GLANCE_S, exc.expires_in)
            await asyncio.sleep(max(pause, 0.05))


@asynccontextmanager
async def kept(*leases: Lease | None) -> AsyncIterator[None]:
    """Keep leases alive while the body runs, then release them; a lost one ends the body."""
    async with AsyncExitStack() as ends:
        for lease in leases:
            if lease is not None:
                await ends.enter_async_context(lease)
        async with together() as group:
            keepers = [group.create_task(_renew(lease)) for lease in leases if lease]
            yield
            for keeper in keepers:
                keeper.cancel()


async def _renew(lease: Lease) -> None:
    while True:
        await asyncio.sleep(lease.ttl / 3)
        await lease.renew()
