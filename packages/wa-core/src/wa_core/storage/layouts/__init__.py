"""The names and values of an auth state, as Baileys has them, in terms of keys and bytes.

One idea: a record of Baileys is a kind (`pre-key`) and an id (`12`); with us it is a key, and every
layout of other people is one more spelling of the same pair.
"""

from __future__ import annotations

from wa_core.storage.layouts.bufferjson import BufferJsonError, dumps, json_flaw, loads
from wa_core.storage.layouts.names import CREDS, KINDS, SESSION, key_of, record_of

__all__ = [
    "CREDS",
    "KINDS",
    "SESSION",
    "BufferJsonError",
    "dumps",
    "json_flaw",
    "key_of",
    "loads",
    "record_of",
]
