"""The base of every engine: checks first, time bounded, writes in order, answers type-checked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineUnavailableError,
    InvalidKeyError,
    InvalidPageError,
    InvalidPositionError,
    ReadOnlyError,
    UnsupportedError,
    UsageError,
    ValueTooLargeError,
)
from wa_core.storage import Batch, Capabilities, Durability, Engine, Entry, Lease, Operation, Put

CAPABILITIES = Capabilities(durability=Durability.VOLATILE, shared=False, max_value=10)


class Recorder(Engine):
    """Writes down what the base lets through; `act` is what each call does."""

    def __init__(self, capabilities: Capabilities = CAPABILITIES, *, timeout: float = 5.0) -> None:
        super().__init__(capabilities, timeout=timeout)
        self.calls: list[tuple[Any, ...]] = []
        self.answers: dict[str, Any] = {}
        self.entries: list[Entry] = []
        self.closed = 0
        self.act: Callable[[str], Awaitable[None]] = self._at_once

    async def _at_once(self, name: str) -> None:
        """Do nothing, at once."""

    async def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        await self.act(name)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self._note("get", tuple(keys))
        return dict(self.answers)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self._note("apply", tuple(operations), fence)
        self.calls.append(("applied", tuple(operations)))

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        await self._note("list", prefix, offset, limit)
        return ["a"]

    async def _count(self, prefix: str) -> int:
        await self._note("count", prefix)
        return 1

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self._note("scan", prefix)
        try:
            for entry in self.entries:
                yield entry
                await self._note("step")
        finally:
            self.calls.append(("scan ended",))

    async def _clear(self) -> None:
        await self._note("clear")
        self.calls.append(("cleared",))

    async def _close(self) -> None:
        self.closed += 1
        await self.act("close")


class Leasing(Recorder):
    """A recorder that gives leases too."""

    async def _acquire(self, holder: str, ttl: float) -> int:
        await self._note("acquire", holder, ttl)
        return 7

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self._note("renew", lease.epoch, ttl)

    async def _release(self, lease: Lease) -> None:
        await self._note("release", lease.epoch)


def read_only(engine: type[Recorder] = Recorder) -> Recorder:
    return engine(Capabilities(durability=Durability.POWER, shared=False, read_only=True))


async def hang(name: str) -> None:
    await asyncio.Event().wait()


def scanned(engine: Engine, prefix: str = "") -> Any:
    async def collect() -> list[Entry]:
        return [entry async for entry in engine.scan(prefix)]

    return collect()


BAD_KEYS = ["", "a/", "a//b", "../a", "a\x00", "\ud800", "x" * 513]
BAD_PREFIXES = ["/", "a//", "../", "a\x00", "\ud800", "x" * 513]


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_an_invalid_key_reaches_no_engine(key: str) -> None:
    engine = Recorder()

    for call in (
        engine.get(key),
        engine.get_many(["fine", key]),
        engine.set(key, b"1"),
        engine.set(key, None),
    ):
        with pytest.raises(InvalidKeyError):
            await call

    assert engine.calls == []


@pytest.mark.parametrize("prefix", BAD_PREFIXES)
async def test_an_invalid_prefix_reaches_no_engine(prefix: str) -> None:
    engine = Recorder()

    for call in (engine.list(prefix), engine.list(prefix, limit=0), engine.count(prefix)):
        with pytest.raises(InvalidKeyError):
            await call
    with pytest.raises(InvalidKeyError):
        engine.scan(prefix)

    assert engine.calls == []


@pytest.mark.parametrize("number", [-1, 1.0, True, "1", b"1", 10.5])
async def test_a_wrong_page_reaches_no_engine(number: Any) -> None:
    engine = Recorder()

    for call in (engine.list("", number), engine.list("", 0, number), engine.list("", number, 0)):
        with pytest.raises(InvalidPageError, match="whole number of 0 or more"):
            await call
    with pytest.raises(InvalidPageError):
        await engine.list("", None)  # type: ignore[arg-type]

    assert engine.calls == []


async def test_a_wrong_position_or_value_reaches_no_engine() -> None:
    engine = Recorder()

    with pytest.raises(InvalidPositionError):
        await engine.set("a", b"1", at=-1)
    with pytest.raises(TypeError, match="bytes or str"):
        await engine.set("a", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="apply takes a Batch"):
        await engine.apply([Put("../a", b"1")])  # type: ignore[arg-type]

    assert engine.calls == []


async def test_one_value_over_the_limit_refuses_the_whole_batch() -> None:
    engine = Recorder()
    batch = Batch().put("a", b"x" * 10).put("b", b"x" * 11)

    with pytest.raises(ValueTooLargeError) as caught:
        await engine.apply(batch)
    await engine.set("c", b"x" * 10)

    assert (caught.value.size, caught.value.limit) == (11, 10)
    assert [call[0] for call in engine.calls] == ["apply", "applied"]


async def test_get_tells_a_value_from_absence() -> None:
    engine = Recorder()
    engine.answers = {"a": b""}

    assert await engine.get("a") == b""
    assert await engine.get("b") is None


async def test_get_many_asks_once_and_for_each_key_once() -> None:
    engine = Recorder()
    engine.answers = {"b": b"2", "never asked for": b"x", "a": b"1"}

    found = await engine.get_many(iter(["a", "b", "a", "c"]))

    assert list(found.items()) == [("a", b"1"), ("b", b"2")]
    assert engine.calls == [("get", ("a", "b", "c"))]


async def test_what_asks_for_nothing_reaches_no_engine() -> None:
    engine = Recorder()

    assert await engine.get_many([]) == {}
    assert await engine.list("a", 3, 0) == []
    await engine.apply(Batch())

    assert engine.calls == []


async def test_an_empty_batch_with_a_fence_still_asks_whether_the_lease_is_current() -> None:
    engine = Leasing()
    lease = await engine.acquire("me", 5)

    await engine.apply(Batch(), fence=lease)

    assert ("apply", (), lease) in engine.calls


@pytest.mark.parametrize("answer", ["text", None, 1, bytearray(b"x"), memoryview(b"x"), [b"x"]])
async def test_an_answer_that_is_no_bytes_is_a_damaged_record(answer: object) -> None:
    engine = Recorder()
    engine.answers = {"a": answer, "b": b"fine"}

    with pytest.raises(CorruptRecordError, match=f"{type(answer).__name__} instead of bytes"):
        await engine.get("a")
    with pytest.raises(CorruptRecordError) as caught:
        await engine.get_many(["b", "a"])

    assert caught.value.key == "a"
    assert await engine.get_many(["b"]) == {"b": b"fine"}


async def test_set_is_a_batch_of_one() -> None:
    engine = Recorder()

    await engine.set("a", "é", at=5)
    await engine.set("a", b"")
    await engine.set("a", None)

    written = [call[1] for call in engine.calls if call[0] == "applied"]
    assert [len(operations) for operations in written] == [1, 1, 1]
    assert written[0][0] == Put("a", b"\xc3\xa9", 5)
    assert written[1][0] == Put("a", b"")
    assert written[2] == tuple(Batch().delete("a"))


def calls_of(engine: Engine, lease: Lease) -> dict[str, Callable[[], Awaitable[Any]]]:
    return {
        "get": lambda: engine.get("a"),
        "get_many": lambda: engine.get_many(["a"]),
        "set": lambda: engine.set("a", b"1"),
        "apply": lambda: engine.apply(Batch().delete("a")),
        "list": lambda: engine.list(),
        "count": lambda: engine.count(),
        "scan": lambda: scanned(engine),
        "acquire": lambda: engine.acquire("me", 1),
        "renew": lambda: lease.renew(),
        "release": lambda: lease.release(),
        "clear": lambda: engine.clear(),
    }


NAMES = list(calls_of(Recorder(), Lease(Recorder(), holder="", epoch=0, ttl=1)))
WRITES = ["set", "apply", "acquire", "renew", "release", "clear"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_backend_that_does_not_answer_is_unavailable(name: str) -> None:
    engine = Leasing(timeout=0.02)
    lease = await engine.acquire("me", 1)
    engine.act = hang

    with pytest.raises(EngineUnavailableError, match=r"no answer within 0\.02 s"):
        await calls_of(engine, lease)[name]()


async def test_closing_ends_in_time_too() -> None:
    engine = Recorder(timeout=0.02)
    engine.act = hang

    with pytest.raises(EngineUnavailableError, match=r"no answer within 0\.02 s"):
        await engine.close()


@pytest.mark.parametrize("name", NAMES)
async def test_a_timeout_of_the_driver_is_unavailable_too(name: str) -> None:
    engine = Leasing()
    lease = await engine.acquire("me", 1)

    async def time_out(called: str) -> None:
        raise TimeoutError("the driver's own")

    engine.act = time_out
    with pytest.raises(EngineUnavailableError) as caught:
        await calls_of(engine, lease)[name]()
    assert isinstance(caught.value.__cause__, TimeoutError)


@pytest.mark.parametrize("name", NAMES)
async def test_a_closed_engine_says_so(name: str) -> None:
    engine = Leasing()
    lease = await engine.acquire("me", 1)
    await engine.close()
    engine.calls.clear()

    with pytest.raises(EngineClosedError, match="open it again"):
        await calls_of(engine, lease)[name]()

    assert engine.calls == []


async def test_what_asks_for_nothing_of_a_closed_engine_is_refused_too() -> None:
    engine = Recorder()
    await engine.close()

    for call in (engine.get_many([]), engine.list(limit=0), engine.apply(Batch())):
        with pytest.raises(EngineClosedError):
            await call


async def test_closing_twice_closes_once() -> None:
    engine = Recorder()
    async with engine as entered:
        assert entered is engine
        assert "open" in repr(engine)
    await engine.close()

    assert engine.closed == 1
    assert "closed" in repr(engine)


@pytest.mark.parametrize("name", NAMES)
async def test_a_read_only_engine_reads_and_refuses_the_rest(name: str) -> None:
    engine = read_only(Leasing)
    lease = Lease(engine, holder="me", epoch=1, ttl=1)

    if name in WRITES:
        with pytest.raises(ReadOnlyError):
            await calls_of(engine, lease)[name]()
        assert engine.calls == []
    else:
        await calls_of(engine, lease)[name]()
        assert engine.calls


async def test_an_engine_without_leases_refuses_them() -> None:
    engine = Recorder()
    lease = Lease(engine, holder="me", epoch=1, ttl=1)

    for call in (engine.acquire("me", 1), lease.renew(), lease.release()):
        with pytest.raises(UnsupportedError, match="leases"):
            await call


async def test_a_lease_is_what_the_engine_gave() -> None:
    engine = Leasing()

    async with await engine.acquire("me", 5) as lease:
        assert (lease.holder, lease.epoch, lease.ttl) == ("me", 7, 5)
        await lease.renew(6)

    assert engine.calls == [("acquire", "me", 5.0), ("renew", 7, 6.0), ("release", 7)]


@pytest.mark.parametrize(("holder", "ttl"), [("", 1), ("me", 0), ("me", float("nan"))])
async def test_a_wrong_holder_or_time_reaches_no_engine(holder: str, ttl: float) -> None:
    engine = Leasing()

    with pytest.raises(UsageError):
        await engine.acquire(holder, ttl)

    assert engine.calls == []


async def test_errors_of_the_engine_pass_through_as_they_are() -> None:
    engine = Recorder()
    error = CorruptRecordError("a")

    async def fail(name: str) -> None:
        raise error

    engine.act = fail
    for call in (engine.get("a"), engine.list(), scanned(engine), engine.clear()):
        with pytest.raises(CorruptRecordError) as caught:
            await call
        assert caught.value is error


def test_an_engine_without_an_apply_of_its_own_cannot_be_made() -> None:
    class NoApply(Recorder):
        _apply = Engine._apply

    with pytest.raises(TypeError, match=r"abstract method '?_apply'?"):
        NoApply()
