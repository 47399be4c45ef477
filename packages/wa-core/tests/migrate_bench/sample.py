"""A session to move: every part of one, and keys that only hostile or unknown programs write."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

from wa_core.errors import EngineConfigError, SessionArrivingError, SessionMovedError
from wa_core.migrate.layout import keeps_positions
from wa_core.state.moves import MOVE_KEY, check_openable
from wa_core.storage import Batch, Engine, Entry, open_engine
from wa_core.storage.layouts import CREDS, dumps, key_of

from migrate_bench.places import AUTH, WHOLE

FIRST_US = 1_700_000_000_000_000
Held = dict[str, tuple[bytes, int]]


def auth_records(number: int = 40) -> dict[str, bytes]:
    """Make an auth state as every layout can keep it: BufferJSON text, ids with odd characters."""
    dice = random.Random(number)
    records = {CREDS: dumps({"me": {"id": "1:2@s.whatsapp.net"}, "noiseKey": dice.randbytes(32)})}
    for place in range(1, number + 1):
        pair = {"private": dice.randbytes(32), "public": dice.randbytes(32)}
        records[key_of("pre-key", str(place))] = dumps(pair)
    for kind, ident in (
        ("session", "100000000000002_1.1"),
        ("sender-key", "120363017952593910@g.us::100000000000001_1::1"),
        ("sender-key-memory", "120363017952593910@g.us"),
        ("app-state-sync-key", "AAB/+mtu"),
        ("app-state-sync-version", "critical_block"),
        ("lid-mapping", "100000000000002_reverse"),
        ("device-list", "15550000002"),
        ("tctoken", "100000000000002@lid"),
        ("tctoken", "__index"),
        ("identity-key", "100000000000001_1.0"),
    ):
        records[key_of(kind, ident)] = dumps({"of": kind, "hash": dice.randbytes(20)})
    return records


def whole_records(chats: int = 10, messages: int = 20, *, odd: bool = True) -> dict[str, bytes]:
    """Make a session with contacts and chats; `odd` adds what only our own engines keep."""
    dice = random.Random(chats)
    records = auth_records()
    for chat in range(chats):
        jid = f"54911{chat:08d}@s.whatsapp.net"
        records[f"contact/{jid}/index"] = b'{"name":"Contact"}'
        records[f"lid/{chat:015d}"] = jid.encode()
        if odd:
            records[f"chat/{jid}"] = b"a value that has keys below it"
        records[f"chat/{jid}/index"] = b"{}"
        for _ in range(messages):
            message = f"chat/{jid}/message/{dice.randbytes(8).hex().upper()}"
            records[f"{message}/index"] = b'{"text":"a message"}'
            content = dice.randbytes(dice.randrange(200))
            records[f"{message}/content"] = content if odd else dumps(content)
    if odd:
        records["plugin/unknown %_*?[x] \N{SNOWMAN}"] = bytes(range(256))
        records["chat/large"] = dice.randbytes(300_000)
    return records


def records_for(*kinds: str, chats: int = 10, messages: int = 20) -> dict[str, bytes]:
    """Make the largest session that all of these kinds of stores can hold."""
    if set(kinds) & set(AUTH):
        return auth_records()
    return whole_records(chats, messages, odd=not set(kinds) & set(WHOLE))


async def fill(url: str, records: dict[str, bytes]) -> None:
    """Write records, each at a position of its own."""
    batch = Batch()
    for place, (key, value) in enumerate(records.items()):
        batch.put(key, value, at=FIRST_US + place)
    async with await open_engine(url) as engine:
        await engine.apply(batch)


async def held(url: str) -> Held:
    """Read a store whole: values and positions, but for the marker."""
    async with await open_engine(url, read_only=True) as engine:
        return {entry.key: (entry.value, entry.at) async for entry in _records(engine)}


async def _records(engine: Engine) -> AsyncIterator[Entry]:
    async for entry in engine.scan():
        if entry.key != MOVE_KEY:
            yield entry


async def opens(url: str) -> bool:
    """Tell whether a store is the session, without changing anything."""
    try:
        async with await open_engine(url, read_only=True) as engine:
            await check_openable(engine)
            return await engine.get(CREDS) is not None
    except (EngineConfigError, SessionArrivingError, SessionMovedError):
        return False  # nothing is there, or it says that it is not the session


async def wake(url: str) -> None:
    """Open the session for writing, as a worker does who finds it like that."""
    async with await open_engine(url) as engine:
        await check_openable(engine)


async def is_bare(url: str) -> bool:
    """Tell whether nothing at all is there, no marker either."""
    try:
        async with await open_engine(url, read_only=True) as engine:
            return await engine.count() == 0
    except EngineConfigError:
        return True


async def positioned(url: str) -> bool:
    """Tell whether a store gives every record back at its position."""
    async with await open_engine(url, read_only=True) as engine:
        return keeps_positions(engine)
