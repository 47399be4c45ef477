"""Credentials and the real Baileys: its bytes come back as they were, and it lives on ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from wa_conformance.baileys import NodeProcess, needed_node
from wa_core.crypto import xeddsa
from wa_core.state import AuthState, Creds, Me, new_identity
from wa_core.storage import MemoryEngine
from wa_core.storage.layouts import CREDS

SCRIPT = Path(__file__).parent / "state_bench" / "creds.mjs"

pytestmark = pytest.mark.once


@pytest.fixture
async def node() -> AsyncIterator[NodeProcess]:
    async with needed_node(SCRIPT) as node:
        yield node


@pytest.mark.parametrize("kind", ["fresh", "linked"])
async def test_what_baileys_wrote_comes_back_byte_for_byte(node: NodeProcess, kind: str) -> None:
    text = (await node.call(kind))["text"]

    creds = Creds.from_bytes(text.encode())

    key = creds.signed_pre_key
    message = b"\x05" + key.key_pair.public
    assert creds.to_bytes() == text.encode()
    assert creds.is_linked == (kind == "linked")
    assert creds.signed_identity_key.is_matched()
    assert xeddsa.verify(creds.signed_identity_key.public, message, key.signature)


async def test_what_was_changed_and_changed_back_is_equal_to_baileys(node: NodeProcess) -> None:
    text = (await node.call("linked"))["text"]
    engine = MemoryEngine()
    await engine.set(CREDS, text)
    state = await AuthState.open(engine)
    before = state.creds

    await state.update_creds(
        lambda creds: replace(creds, me=Me(id="1:1@s.whatsapp.net"), account=None, platform="ios")
    )
    changed = (await engine.get(CREDS) or b"").decode()
    await state.update_creds(
        lambda creds: replace(creds, me=before.me, account=before.account, platform=before.platform)
    )
    restored = (await engine.get(CREDS) or b"").decode()

    assert (await node.call("same", one=text, other=changed)) == {"same": False}
    assert (await node.call("same", one=text, other=restored)) == {"same": True}


async def test_baileys_lives_on_a_new_identity_of_ours(node: NodeProcess) -> None:
    text = new_identity().to_bytes().decode()

    judged = await node.call("judge", text=text)

    assert judged == {
        "missing": [],
        "agreed": True,
        "preKeys": ["1", "2", "3"],
        "again": text,
    }
