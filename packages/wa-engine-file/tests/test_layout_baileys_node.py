"""The folder of the real Baileys: what it wrote is read, and what is written is read by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wa_conformance.baileys import NodeProcess, needed_node
from wa_core.storage import Batch, open_engine
from wa_core.storage.layouts import CREDS, KINDS, dumps, key_of, loads

pytestmark = pytest.mark.once

GROUP = "123456789-1600000000@g.us"
RECORDS: dict[str, dict[str, Any]] = {
    "session": {"15550000009.0": {"_sessions": {}, "version": "v1"}, "77_128.99": {"a": [1]}},
    "sender-key-memory": {GROUP: {"55:1@lid": True}, "status@broadcast": {"55@lid": True}},
    "tctoken": {
        "100000000000002@lid": {"token": b"\x00\xff", "timestamp": "1795259391"},
        "15550000002@s.whatsapp.net": {"token": b""},
        "__index": {"token": b'["100000000000002@lid"]'},
    },
    "identity-key": {"77_128.99": b"\x05" * 33},
    "device-list": {"77": ["0", "1"]},
    "lid-mapping": {"ünï%2F_reverse": "15550000009"},
    "a": {"kind": "of its own"},
    "future": {"kïnd %25": {"of": b"tomorrow"}},
}


async def account(node: NodeProcess, folder: Path, pre_keys: int = 812) -> dict[str, bytes]:
    """Let Baileys fill a folder, and return what it says that it has written, as keys."""
    peer = folder.with_name("peer")
    ann = {"folder": folder, "pn": "15550000001", "lid": "100000000000001", "preKeys": pre_keys}
    await node.call("make", name="ann", **ann)
    await node.call("make", name="bob", folder=peer, pn="15550000002", lid="2000", preKeys=5)
    await talk(node)
    await node.call("put", name="ann", records=json.loads(dumps(RECORDS)))
    written = await node.call("written", name="ann")
    found = {
        key_of(kind, ident): text.encode()
        for kind, values in written["records"].items()
        for ident, text in values.items()
    }
    return {CREDS: written["creds"].encode(), **found}


async def talk(node: NodeProcess) -> None:
    await node.call("meet", **{"from": "ann", "to": "bob"})
    for one, two in (("ann", "bob"), ("bob", "ann"), ("ann", "bob")):
        sent = await node.call("send", **{"from": one, "to": two, "body": "hello"})
        await node.call("receive", at=two, **{"from": one}, **sent)
    sent = await node.call("group_send", **{"from": "ann", "group": GROUP, "body": "hello"})
    assert sent["ciphertext"]


async def copied(written: dict[str, bytes], folder: Path) -> None:
    batch = Batch()
    for key, value in written.items():
        batch.put(key, value)
    async with await open_engine(f"baileys:{folder}") as engine:
        await engine.apply(batch)


async def test_all_that_baileys_wrote_is_read_byte_for_byte(tmp_path: Path) -> None:
    async with needed_node() as node:
        written = await account(node, tmp_path / "auth")

        async with await open_engine(f"baileys:{tmp_path}/auth", read_only=True) as engine:
            found = {entry.key: entry.value async for entry in engine.scan()}

    assert found == written
    assert {key.split("/")[1] for key in found} >= set(KINDS)
    assert len([key for key in found if key.startswith("session/pre-key/")]) >= 811


async def test_all_that_is_written_here_baileys_reads_deep_equal(tmp_path: Path) -> None:
    async with needed_node() as node:
        written = await account(node, tmp_path / "auth")
        await copied(written, tmp_path / "copy")

        judged = await node.call("compare", name="ann", folder=tmp_path / "copy")

        assert judged == {"compared": len(written), "differing": []}
        # The judge sees a difference where there is one.
        async with await open_engine(f"baileys:{tmp_path}/copy") as engine:
            await engine.set(key_of("pre-key", "12"), dumps({**loads(written[CREDS]), "x": 1}))
            await engine.set(key_of("app-state-sync-key", "AP//AAA="), None)
        judged = await node.call("compare", name="ann", folder=tmp_path / "copy")
        assert sorted(judged["differing"]) == ["app-state-sync-key AP//AAA=", "pre-key 12"]


async def test_an_account_goes_on_talking_from_a_copy(tmp_path: Path) -> None:
    async with needed_node() as node:
        written = await account(node, tmp_path / "auth", 5)
        skipped = await node.call("send", **{"from": "bob", "to": "ann", "body": "skipped"})
        await copied(written, tmp_path / "copy")
        await node.call("open", name="ann", folder=tmp_path / "copy")

        sent = await node.call("send", **{"from": "bob", "to": "ann", "body": "after"})
        assert await node.call("receive", at="ann", **{"from": "bob"}, **sent) == {"body": "after"}
        late = await node.call("receive", at="ann", **{"from": "bob"}, **skipped)
        assert late == {"body": "skipped"}
        back = await node.call("send", **{"from": "ann", "to": "bob", "body": "back"})
        assert await node.call("receive", at="bob", **{"from": "ann"}, **back) == {"body": "back"}
