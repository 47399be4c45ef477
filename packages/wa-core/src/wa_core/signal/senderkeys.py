"""The record of a group's sender key, exactly as Baileys writes it into `sender-key`.

The value is bytes, which are JSON once more; the buffers in that one are lists of numbers. There is
one state for each key that its owner began, newest last, and the owner alone has the private part.
`iteration` is the number of the key that comes next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wa_core.crypto.keypair import KEY_SIZE
from wa_core.signal.fields import Fields, ShapeError, decoded, laid_over
from wa_core.signal.keys import TYPED_SIZE, typed
from wa_core.storage.layouts import BufferJsonError, loads

MAX_STATES: Final = 5
MAX_SEEDS: Final = 2000


@dataclass(frozen=True, slots=True)
class SenderKey:
    """One state: a chain, the key that signs for it, and the seeds of skipped messages."""

    key_id: int
    iteration: int
    chain_key: bytes = field(repr=False)
    signing_public: bytes
    signing_private: bytes | None = field(repr=False)
    seeds: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    """By iteration, in the order in which they were skipped."""
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)


def parse_sender_keys(value: object) -> tuple[SenderKey, ...]:
    """Read a record as `layouts.loads` gives it; `ShapeError` says what is wrong with it."""
    if not isinstance(value, bytes):
        raise ShapeError("sender-key is no buffer")
    try:
        states = loads(value)
    except BufferJsonError as exc:
        raise ShapeError(f"sender-key: {exc}") from None
    if not isinstance(states, list):
        raise ShapeError("sender-key is no list")
    return tuple(_parse(state) for state in states)


def build_sender_keys(states: tuple[SenderKey, ...]) -> bytes:
    """Spell a record as Baileys does."""
    spelt = _buffers_spelt([_build(state) for state in states])
    return json.dumps(spelt, separators=(",", ":"), ensure_ascii=False).encode()


def _parse(value: object) -> SenderKey:
    fields = Fields(value, "sender-key state")
    chain, signing = fields.within("senderChainKey"), fields.within("senderSigningKey")
    private = signing.take("private")
    return SenderKey(
        key_id=fields.number("senderKeyId"),
        iteration=chain.number("iteration"),
        chain_key=chain.octets("seed", KEY_SIZE),
        signing_public=_public(signing.take("public")),
        # Those of others have an empty one.
        signing_private=decoded(private, KEY_SIZE, "senderSigningKey.private") if private else None,
        seeds=dict(_parse_seed(seed) for seed in fields.take("senderMessageKeys") or ()),
        rest=fields.rest,
    )


def _public(value: object) -> bytes:
    # Baileys reads a key without its type, too.
    untyped = isinstance(value, bytes) and len(value) == KEY_SIZE
    size = KEY_SIZE if untyped else TYPED_SIZE
    return typed(decoded(value, size, "senderSigningKey.public"))


def _parse_seed(value: object) -> tuple[int, bytes]:
    fields = Fields(value, "senderMessageKeys")
    return fields.number("iteration"), fields.octets("seed", KEY_SIZE)


def _build(state: SenderKey) -> dict[str, Any]:
    seeds = list(state.seeds.items())[-MAX_SEEDS:]
    known = {
        "senderKeyId": state.key_id,
        "senderChainKey": {"iteration": state.iteration, "seed": state.chain_key},
        "senderSigningKey": {
            "public": state.signing_public,
            "private": state.signing_private or b"",
        },
        "senderMessageKeys": [{"iteration": number, "seed": seed} for number, seed in seeds],
    }
    return laid_over(known, state.rest)


def _buffers_spelt(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"type": "Buffer", "data": list(value)}
    if isinstance(value, dict):
        return {name: _buffers_spelt(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_buffers_spelt(part) for part in value]
    return value
