"""Taking over a keyspace that was written without an index: no value is moved [Y2].

The keys are found by SCAN without a pattern and compared by us. A note in `/meta` stays until all
have their rows, so that an adoption that was interrupted is taken up by the next open.
"""

from __future__ import annotations

from wa_core.errors import EngineConfigError, masked
from wa_core.storage import is_key

from wa_engine_redis.keys import KeySpace
from wa_engine_redis.line import Line
from wa_engine_redis.registry import register
from wa_engine_redis.scripts import ADOPT, FORGET

SIGN = "session/creds"
"""The key by which a session is known that another program has written."""
STEP = 500


async def is_foreign(line: Line, space: KeySpace) -> bool:
    """Tell whether a session that has no index yet was written by another program."""
    return bool(await line.call("EXISTS", space.value(SIGN)))


async def adopt(line: Line, space: KeySpace, *, anew: bool, read_only: bool) -> None:
    """Build the index of what is there; `anew` also forgets what is not there any more."""
    if read_only:
        raise EngineConfigError(
            f"{masked(space.prefix.decode())} has no index", "open it once for writing"
        )
    await register(line, space)
    await line.call("HSET", space.meta, b"layout", b"1", b"adopting", b"1")
    if anew:
        await _forget_gone(line)
    begin = len(space.prefix)
    names = [name[begin:] async for name in line.names() if name.startswith(space.prefix)]
    keys = sorted(filter(_is_key, set(names)))
    for first in range(0, len(keys), STEP):
        await line.run(ADOPT, *keys[first : first + STEP])
    await line.call("HDEL", space.meta, b"adopting")


async def _forget_gone(line: Line) -> None:
    """Remove the rows of values that the other program has deleted."""
    after = b""
    while after := await line.run(FORGET, after):
        continue


def _is_key(name: bytes) -> bool:
    try:
        return is_key(name.decode())
    except UnicodeDecodeError:
        return False
