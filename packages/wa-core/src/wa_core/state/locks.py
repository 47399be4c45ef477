"""Locks by name, for transactions: first come, first served, and never a circle of waiters."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable

from wa_core.errors import TransactionError

Owner = Hashable


class NamedLocks:
    """Each name has at most one owner; an owner may ask for what it has."""

    def __init__(self) -> None:
        self._owners: dict[str, Owner] = {}
        self._owned: dict[Owner, set[str]] = {}
        self._wanted: dict[Owner, list[str]] = {}
        self._waiting: dict[str, deque[tuple[Owner, asyncio.Future[None]]]] = {}

    async def acquire(self, owner: Owner, names: Iterable[str]) -> list[str]:
        """Wait for all names, in an order that is everybody's; return those that are new to it."""
        wanted = sorted(name for name in set(names) if self._owners.get(name) is not owner)
        for name in wanted:
            await self._acquire(owner, name)
        return wanted

    async def _acquire(self, owner: Owner, name: str) -> None:
        holder = self._owners.get(name)
        if holder is None:
            self._give(name, owner)
        elif holder is not owner:
            if self._waits_for(holder, owner):
                raise TransactionError("it and another one wait for each other: try it again")
            await self._wait(owner, name)

    async def _wait(self, owner: Owner, name: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, deque()).append((owner, turn))
        wanted = self._wanted.setdefault(owner, [])
        wanted.append(name)
        try:
            await turn
        finally:
            # A cancelled turn is passed over; one that had come already, `release` gives on.
            wanted.remove(name)
            if not wanted:
                self._wanted.pop(owner, None)

    def _give(self, name: str, owner: Owner) -> None:
        self._owners[name] = owner
        self._owned.setdefault(owner, set()).add(name)

    def release(self, owner: Owner, names: Iterable[str] | None = None) -> None:
        """Give up names of an owner, or all it has; the next in line have them at once."""
        held = self._owned.get(owner, set())
        for name in list(held if names is None else names):
            held.discard(name)
            self._pass_on(name)
        if not held:
            self._owned.pop(owner, None)

    def _pass_on(self, name: str) -> None:
        line = self._waiting.get(name)
        while line:
            owner, turn = line.popleft()
            if not turn.done():
                self._give(name, owner)
                turn.set_result(None)
                self._let_in(name, owner)
                return
        self._waiting.pop(name, None)
        del self._owners[name]

    def _let_in(self, name: str, owner: Owner) -> None:
        """Wake the other tasks of the same owner: the name is theirs too."""
        line = self._waiting[name]
        for waiter, turn in list(line):
            if waiter is owner:
                line.remove((waiter, turn))
                if not turn.done():
                    turn.set_result(None)

    def _waits_for(self, owner: Owner, other: Owner) -> bool:
        """Tell whether `owner` cannot go on before `other` does."""
        seen: set[Owner] = set()
        open_ends = [owner]
        while open_ends:
            current = open_ends.pop()
            if current is other:
                return True
            if current not in seen:
                seen.add(current)
                open_ends += [self._owners[name] for name in self._wanted.get(current, ())]
        return False
