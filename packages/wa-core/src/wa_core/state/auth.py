"""The auth state of one session: who the device is, and the keys of its conversations.

Opening is where seven other stores lose an account: they take what they cannot read for what is not
there, and write a new identity over the old one. Here absent, damaged and unreachable stay three
answers, and only a store that is proven to be empty gets an identity, if that was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

from wa_core.errors import DamagedSessionError, NoSessionError
from wa_core.state.commits import Edit, Note
from wa_core.state.creds import Creds
from wa_core.state.identity import new_identity
from wa_core.state.keystore import KeyStore
from wa_core.state.ledger import Ledger
from wa_core.state.moves import check_openable
from wa_core.state.policy import IMMEDIATE, Policy, Timer
from wa_core.state.prekeys import PreKeys
from wa_core.state.transaction import Transaction
from wa_core.storage import Batch, Engine, Lease
from wa_core.storage.layouts import CREDS

CACHE_BYTES = 8 * 1024 * 1024


class AuthState:
    """Credentials and keys over an engine, which stays its opener's to close."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.keys = KeyStore(ledger)
        self.pre_keys = PreKeys(ledger)

    @classmethod
    async def open(
        cls,
        engine: Engine,
        create: bool = False,
        *,
        lease: Lease | None = None,
        force: bool = False,
        policy: Policy = IMMEDIATE,
        cache_bytes: int = CACHE_BYTES,
        timer: Timer | None = None,
        mint: Callable[[], Creds] = new_identity,
    ) -> AuthState:
        """Open the session of an engine; with `create`, begin one where there is nothing at all.

        Every write carries `lease`. `force` opens what was moved away, which ruins it there.
        """
        await check_openable(engine, force, lease=lease)
        data = await engine.get(CREDS)
        if data is None:
            await _check_empty(engine, create)
            creds = await _begin(engine, lease, mint)
        else:
            creds = Creds.from_bytes(data)
        timer = asyncio.get_running_loop() if timer is None else timer
        return cls(
            Ledger(engine, creds, lease=lease, policy=policy, cache_bytes=cache_bytes, timer=timer)
        )

    @property
    def creds(self) -> Creds:
        """The credentials as they are known now; within a transaction, as it changed them."""
        return self._ledger.creds

    @property
    def engine(self) -> Engine:
        """The engine, behind the cache of this state."""
        return self._ledger.engine

    @property
    def lease(self) -> Lease | None:
        """The lease that every write carries."""
        return self._ledger.lease

    async def update_creds(self, edit: Edit) -> None:
        """Change the credentials by a function from the old ones to the new.

        It may be called more than once, and on credentials that others changed meanwhile.
        """
        await self._ledger.edit(edit)

    async def flush(self) -> None:
        """Return when every change is in the store: before anything relies on it on the wire."""
        await self._ledger.flush()

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Keep what is written from now on waiting while this is entered: for a moment, no more."""
        return self._ledger.hold()

    def watched(self, note: Note) -> AbstractContextManager[None]:
        """Tell `note` of every batch that is written while this is entered, before it is."""
        return self._ledger.watched(note)

    async def settle(self) -> None:
        """Find out what came of a write that nobody answered for, by writing it again.

        Reads and writes do this by themselves; `creds` cannot, and shows what was known before.
        """
        await self._ledger.settle()

    async def follow(self, lease: Lease | None) -> None:
        """Go on under another lease, from what the store holds now."""
        await self._ledger.follow(lease)

    def transaction(self, *names: str) -> Transaction:
        """Begin one with `async with`: its reads see its writes, and its end is one batch.

        Names are locked until then. A Signal address is locked by every name its peer has.
        """
        return self._ledger.transaction(names)

    async def canonical(self, address: str) -> str:
        """Return the Signal address under which the records of a peer lie."""
        return await self._ledger.canonical(address)

    async def close(self) -> None:
        """Save what is unsaved; if that fails the state stays open, to try again."""
        await self._ledger.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AuthState {self._ledger!r}>"


async def _check_empty(engine: Engine, create: bool) -> None:
    """Raise unless an identity was asked for and nothing of the session is there."""
    others = await engine.count()
    if others:
        raise DamagedSessionError(others)
    if not create:
        raise NoSessionError


async def _begin(engine: Engine, lease: Lease | None, mint: Callable[[], Creds]) -> Creds:
    async with _alone(engine, lease) as fence:
        # Somebody else may have begun it before the lease was ours.
        data = await engine.get(CREDS)
        if data is not None:
            return Creds.from_bytes(data)
        await _check_empty(engine, create=True)
        creds = mint()
        await engine.apply(Batch().put(CREDS, creds.to_bytes()), fence=fence)
        return creds


@asynccontextmanager
async def _alone(engine: Engine, lease: Lease | None) -> AsyncIterator[Lease | None]:
    """Hold a lease where the engine has them, so that two who begin at once begin one session."""
    if lease is not None or "L3" not in engine.capabilities.claims:
        yield lease
    else:
        async with await engine.acquire("beginning a session", 3 * engine.timeout) as own:
            yield own
