"""Two accounts of the real Baileys go around the world, and talk on where they stopped."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from migrate_bench.places import empty_place, started_servers
from wa_conformance.baileys import NodeProcess, needed_node
from wa_core.migrate import copy

pytestmark = pytest.mark.once

GROUP = "123456789-1600000000@g.us"
WAY = ("file", "redis", "mongo", "postgres", "mariadb", "sqlite", "memory")


async def travel(folder: Path, home: Path, way: tuple[str, ...]) -> int:
    """Move a folder of Baileys through all these stores into another; return the records."""
    with started_servers() as servers:
        stops = [empty_place(kind, servers, folder.parent) for kind in way]
        for one, two in pairwise([f"baileys:{folder}", *stops, f"baileys:{home}"]):
            report = await copy(one, two)
            assert report.outcome == "moved"
    return report.records


async def say(node: NodeProcess, one: str, two: str, body: str) -> dict[str, Any]:
    return await node.call("send", **{"from": one, "to": two, "body": body})


async def hear(node: NodeProcess, at: str, of: str, sent: dict[str, Any]) -> str:
    return str((await node.call("receive", at=at, **{"from": of}, **sent))["body"])


async def test_two_accounts_survive_the_way_through_every_engine_and_talk_on(
    tmp_path: Path,
) -> None:
    ann, bob = {"pn": "15550000001", "lid": "1000"}, {"pn": "15550000002", "lid": "2000"}
    async with needed_node() as node:
        await node.call("make", name="ann", folder=tmp_path / "ann", preKeys=812, **ann)
        await node.call("make", name="bob", folder=tmp_path / "bob", preKeys=812, **bob)
        await node.call("meet", **{"from": "ann", "to": "bob"})
        for one, two in (("ann", "bob"), ("bob", "ann"), ("ann", "bob"), ("bob", "ann")):
            assert await hear(node, two, one, await say(node, one, two, "hello")) == "hello"
        late = [await say(node, "ann", "bob", f"late {number}") for number in range(3)]
        assert await hear(node, "bob", "ann", late.pop()) == "late 2"
        first = await node.call("group_send", **{"from": "ann", "group": GROUP, "body": "first"})
        known = {"at": "bob", "from": "ann", "group": GROUP}
        await node.call("group_learn", **known, distribution=first["distribution"])
        for name in ("ann", "bob"):
            await node.call("remember", name=name)

        number = await travel(tmp_path / "ann", tmp_path / "ann-home", WAY)
        await travel(tmp_path / "bob", tmp_path / "bob-home", ("sqlite", "file"))

        for name in ("ann", "bob"):
            seen = await node.call("compare", name=name, folder=tmp_path / f"{name}-home")
            assert seen["differing"] == []
            if name == "ann":
                assert number == seen["compared"] > 820
            await node.call("open", name=name, folder=tmp_path / f"{name}-home")
        for place, sent in enumerate(late):
            assert await hear(node, "bob", "ann", sent) == f"late {place}"
        for one, two in (("bob", "ann"), ("ann", "bob"), ("ann", "bob")):
            assert await hear(node, two, one, await say(node, one, two, "again")) == "again"
        second = await node.call("group_send", **{"from": "ann", "group": GROUP, "body": "second"})
        # In order: what comes late in a group, Baileys itself cannot read.
        for body, sent in (("first", first), ("second", second)):
            heard = await node.call("group_receive", **known, ciphertext=sent["ciphertext"])
            assert heard["body"] == body
