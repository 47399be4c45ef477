"""The three-method engine: the core level, and a clean no to all that three methods cannot give."""

from __future__ import annotations

import pytest
from wa_core.errors import CorruptRecordError, InvalidKeyError, UnsupportedError
from wa_core.storage import CORE, Batch, Capabilities, Durability, Lease, ThreeMethodEngine


class DictEngine(ThreeMethodEngine):
    """What an author writes on the first afternoon."""

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        super().__init__(capabilities)
        self.rows: dict[str, tuple[int, bytes]] = {}
        self.writes = 0
        self._last = 0

    async def read(self, key: str) -> bytes | None:
        return self.rows[key][1] if key in self.rows else None

    async def write(self, key: str, value: bytes | None, at: int | None) -> None:
        self.writes += 1
        if value is None:
            for gone in [k for k in self.rows if k == key or k.startswith(key + "/")]:
                del self.rows[gone]
            return
        self._last += 1
        self.rows[key] = (self._last if at is None else at, value)

    async def page(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        found = [key for key in self.rows if key.startswith(prefix)]
        found.sort(key=lambda key: (-self.rows[key][0], key.encode()))
        return found[offset:] if limit is None else found[offset : offset + limit]


async def filled() -> DictEngine:
    engine = DictEngine()
    for key, value in {"a": "1", "a/b": "2", "ab": "3"}.items():
        await engine.set(key, value)
    engine.writes = 0
    return engine


async def test_it_claims_the_core_and_no_more() -> None:
    assert DictEngine().capabilities.claims == CORE
    assert not {"W1", "W3", "W6", "S1", "L1", "L3", "D1", "X1", "N2"} & CORE
    assert {"K1", "V1", "G4", "W4", "W5", "C1", "O1", "O5", "N1"} <= CORE


async def test_an_author_may_state_other_capabilities() -> None:
    mine = Capabilities(durability=Durability.POWER, shared=True, claims=CORE | {"S1"})

    assert DictEngine(mine).capabilities is mine


async def test_three_methods_give_reads_writes_lists_and_counts() -> None:
    engine = await filled()

    assert await engine.get("a/b") == b"2"
    assert await engine.get_many(["ab", "none", "a"]) == {"ab": b"3", "a": b"1"}
    assert await engine.list("a", 1, 1) == ["a/b"]
    assert await engine.count("a/") == 1
    await engine.set("a", None)
    assert await engine.list() == ["ab"]


async def test_a_position_reaches_the_author() -> None:
    engine = await filled()

    await engine.set("ab", b"old", at=0)

    assert (await engine.list())[-1] == "ab"


async def test_a_batch_of_one_is_a_write() -> None:
    engine = await filled()

    await engine.apply(Batch().put("a", b"new"))
    await engine.apply(Batch().delete("ab"))

    assert await engine.get("a") == b"new"
    assert await engine.get("ab") is None


async def test_what_three_methods_cannot_give_is_refused_and_changes_nothing() -> None:
    engine = await filled()
    before = dict(engine.rows)
    lease = Lease(engine, holder="me", epoch=1, ttl=1)

    async def scan() -> None:
        async for _ in engine.scan():
            pass

    for call, feature in (
        (engine.apply(Batch().put("x", b"").put("y", b"")), "more than one operation"),
        (engine.apply(Batch().delete("a").put("a", b"")), "more than one operation"),
        (engine.apply(Batch().put("x", b""), fence=lease), "fenced writes"),
        (engine.apply(Batch(), fence=lease), "fenced writes"),
        (scan(), "scan"),
        (engine.acquire("me", 1), "leases"),
        (lease.renew(), "leases"),
        (lease.release(), "leases"),
    ):
        with pytest.raises(UnsupportedError, match=feature):
            await call

    assert engine.rows == before
    assert engine.writes == 0


async def test_the_checks_of_the_base_hold_here_too() -> None:
    engine = await filled()

    with pytest.raises(InvalidKeyError):
        await engine.set("../a", b"")

    assert engine.writes == 0


async def test_a_clear_leaves_nothing() -> None:
    engine = await filled()

    await engine.clear()

    assert engine.rows == {}
    assert await engine.count() == 0


async def test_a_read_that_returns_no_bytes_is_a_damaged_record() -> None:
    engine = await filled()
    engine.rows["a"] = (1, "text")  # type: ignore[assignment]

    with pytest.raises(CorruptRecordError, match="str instead of bytes"):
        await engine.get("a")
