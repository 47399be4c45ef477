"""Who is there: the sessions of a place, and the prefixes that are taken as they are.

An escaped prefix cannot lie inside another one. A literal one can: whoever comes second is refused,
and as each writes its own name down before it reads the others', no two get in at once [N1].
"""

from __future__ import annotations

from wa_core.errors import EngineConfigError, masked

from wa_engine_redis.keys import KeySpace
from wa_engine_redis.line import Line


async def register(line: Line, space: KeySpace) -> None:
    """Enter a session before anything of it is written [N2]; refuse one inside another."""
    is_new = await line.call("SADD", space.registry, space.member)
    other = await _overlapping(line, space)
    if other is None:
        return
    if is_new:
        await line.call("SREM", space.registry, space.member)
    raise EngineConfigError(
        f"prefix {masked(space.prefix.decode())}",
        f"the keys of {masked(other.decode())} and of this session would meet: choose another",
    )


async def _overlapping(line: Line, space: KeySpace) -> bytes | None:
    """Find a session whose keys may be taken for this one's."""
    literals: list[bytes] = [
        member + b":" for member in await line.call("SMEMBERS", space.literals)
    ]
    for other in literals:
        if _meet(other, space.prefix):
            return other
    if space.is_literal:
        for member in await line.call("SMEMBERS", space.sessions):
            name: bytes = space.place + b":" + member + b":"
            if _meet(name, space.prefix) and await line.call("EXISTS", name + b"/in/"):
                return name
    return None


def _meet(one: bytes, two: bytes) -> bool:
    return one != two and (one.startswith(two) or two.startswith(one))
