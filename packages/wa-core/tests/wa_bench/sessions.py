"""Sessions to look at: a sound one, and what can be wrong with one."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

from wa_core.state import Account, AuthState, Me, new_identity
from wa_core.storage import Batch, Entry, open_engine

PHONE, LID = "5491112345678", "100000000000001"
KEY_ID = b64encode(b"\x00/\xffkey").decode()
SECRET = b"sesame-sesame-sesame-sesame-4444"
_CREDS = replace(
    new_identity(),
    me=Me(id=f"{PHONE}:1@s.whatsapp.net", lid=f"{LID}:1@lid"),
    account=Account(details=b"details"),
    my_app_state_key_id=KEY_ID,
    next_pre_key_id=4,
    first_unuploaded_pre_key_id=3,
)


async def link(url: str) -> None:
    """Make a linked session with a few records of most kinds."""
    pair = {"private": SECRET, "public": b"q" * 32}
    async with await open_engine(url) as engine:
        async with await AuthState.open(engine, create=True, mint=lambda: _CREDS) as state:
            await state.keys.set(
                {
                    "pre-key": {"2": pair, "3": pair},
                    "app-state-sync-key": {KEY_ID: {"keyData": "aa=="}},
                    "lid-mapping": {PHONE: LID, f"{LID}_reverse": PHONE},
                }
            )
        batch = Batch().put(f"contact/{PHONE}@s.whatsapp.net/index", b"{}")
        for chat in range(2):
            batch.put(f"chat/{chat}/index", b"{}")
            for message in range(3):
                batch.put(f"chat/{chat}/message/M{message}/index", b"{}")
                batch.put(f"chat/{chat}/message/M{message}/content", b"hello")
        await engine.apply(batch)


async def put(url: str, key: str, value: bytes) -> None:
    """Write one record."""
    async with await open_engine(url) as engine:
        await engine.set(key, value)


async def everything(url: str) -> dict[str, tuple[bytes, int]]:
    """Read a store whole."""

    def told(entry: Entry) -> tuple[bytes, int]:
        return entry.value, entry.at

    async with await open_engine(url, read_only=True) as engine:
        return {entry.key: told(entry) async for entry in engine.scan()}
