"""Tasks that end together, and whose error is the one that somebody raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """Run tasks beside the body; of the errors that end them, raise the first as it is.

    What a task met comes before what that did to the body: a lost lease says more.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as exc:
        raise exc.exceptions[0] from None
