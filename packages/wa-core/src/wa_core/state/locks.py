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
        self._waiting: dict[str, deque[tuple[Owner, asyncio.Future[None]]]] = {}

    async def acquire(self, owner: Owner, names: Iterable[str]) -> list[str]:
        """Wait for all names, in an order that is everybody's; return those that are new to it."""
        wanted = sorted(name for name in set(names) if self._owners.get(name) is not owner)
        for name in wanted:
            await self._acquire(owner, name)
        return wanted

    async def _acquire(self, owner: Owner, name: str) -> None:
        if self._owners.setdefault(name, owner) is owner:
            return
        if self._waits_for(self._owners[name], owner):
            raise TransactionError("it and another one wait for each other: try it again")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._waiting.setdefault(name, deque())
        line.append((owner, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Else the turn has come already, and `release` gives it on.
            if not turn.done() or turn.cancelled():
                line.remove((owner, turn))
            raise

    def release(self, owner: Owner, names: Iterable[str] | None = None) -> None:
        """Give up names of an owner, or all it has; the next in line have them at once."""
        held = [name for name, holder in self._owners.items() if holder is owner]
        for name in held if names is None else names:
            self._pass_on(name)

    def _pass_on(self, name: str) -> None:
        line = self._waiting.get(name)
        while line:
            owner, turn = line.popleft()
            if not turn.done():
                self._owners[name] = owner
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
                open_ends += self._awaited(current)
        return False

    def _awaited(self, owner: Owner) -> list[Owner]:
        return [
            self._owners[name]
            for name, line in self._waiting.items()
            if any(waiter is owner for waiter, _ in line)
        ]
