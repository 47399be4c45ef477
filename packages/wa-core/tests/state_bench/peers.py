"""Messages of peers, as tasks that are in no transaction of their makers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from wa_core.state import AuthState


async def count_up(state: AuthState, name: str) -> None:
    """Add one to the record of a peer, in a transaction that locks it."""
    async with state.transaction(name):
        known = await state.keys.get("session", [name])
        await state.keys.set({"session": {name: known.get(name, 0) + 1}})


def beside(message: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Handle a message in a task of its own, in no transaction."""
    return asyncio.create_task(message, context=Context())
