"""Checks of chapter F: every call ends, and what it ends with is one of our errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineUnavailableError,
    InvalidKeyError,
    InvalidPageError,
    LeaseHeldError,
    ReadOnlyError,
    UsageError,
    ValueTooLargeError,
    WaError,
)
from wa_core.storage import Batch, Entry, Lease

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.corpus import HOSTILE
from wa_conformance.filling import (
    demand,
    expect_everything,
    fill,
    open_impatient,
    open_when_free,
    over,
)
from wa_conformance.probe import GRACE_S, Probe
from wa_conformance.wakeful import awake_for

LEASED_S = 1.0
"""Long enough for a slow disk to write down a lease."""

PATIENCE = 20
"""Calls until an engine must have recovered; each waits as long as the timeout."""

Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def _silence(
    bench: Bench, *, held: bool = False, records: int = 0
) -> AsyncIterator[tuple[Probe, Lease | None]]:
    """Open an engine that waits a moment only, and let its backend fall silent."""
    began = time.monotonic()
    writer = await bench.open()
    await fill(bench, writer, {"k": b"1", "k/1": b"2"})
    await fill(bench, writer, [f"scan/{number}" for number in range(records)])
    await writer.close()
    took = time.monotonic() - began
    engine = await open_impatient(bench, took, least=LEASED_S if held else 0.3)
    lease = await engine.acquire("worker", 60) if held else None
    engine.program.gap("the backend was silenced behind the engine's back")
    await bench.hooks.stall(engine.engine)
    try:
        yield engine, lease
    finally:
        await bench.hooks.resume(engine.engine)


async def _endings(engine: Probe, **calls: Call) -> dict[str, object]:
    """Make the calls at once; return for each what it returned, or the error that it raised."""
    limit = engine.engine.timeout + GRACE_S

    async def ended(name: str, call: Call) -> object:
        try:
            async with awake_for(limit) as alarm:
                return await call()
        except Exception as exc:
            if alarm.expired():
                engine.fail(f"{name} did not end within {limit:g} s")
            return exc

    endings = await asyncio.gather(*(ended(name, call) for name, call in calls.items()))
    return dict(zip(calls, endings, strict=True))


def _reads(engine: Probe) -> dict[str, Call]:
    raw = engine.engine
    return {
        "get": lambda: raw.get("k"),
        "get_many": lambda: raw.get_many(["k", "k/1"]),
        "list": lambda: raw.list("k"),
        "count": lambda: raw.count("k/"),
    }


def _writes(engine: Probe) -> dict[str, Call]:
    raw = engine.engine
    return {
        "apply": lambda: raw.apply(Batch().put("k/2", b"3").delete("k/1")),
        "set": lambda: raw.set("k/3", b"4"),
        "delete": lambda: raw.set("k/4", None),
        "clear": raw.clear,
    }


async def _scanned(engine: Probe) -> list[Entry]:
    return [entry async for entry in engine.engine.scan()]


@check("F1", Need.STALL)
async def reads_end_in_time(bench: Bench) -> None:
    """While the backend is silent, get, get_many, list and count end within the timeout."""
    async with _silence(bench) as (engine, _):
        await _endings(engine, **_reads(engine))


@check("F1", Need.STALL)
async def writes_end_in_time(bench: Bench) -> None:
    """While the backend is silent, apply, set and clear end in EngineUnavailableError."""
    async with _silence(bench) as (engine, _):
        for name, ending in (await _endings(engine, **_writes(engine))).items():
            demand(
                engine,
                isinstance(ending, Exception),
                f"{name} was acknowledged by a backend that was silent",
            )


@check("F1", Need.STALL, also=("S1",))
async def scans_end_in_time(bench: Bench) -> None:
    """While the backend is silent, a scan ends within the timeout."""
    async with _silence(bench, records=300) as (engine, _):
        await _endings(engine, scan=lambda: _scanned(engine))


@check("F1", Need.STALL, also=("S1",))
async def scans_that_have_begun_end_in_time(bench: Bench) -> None:
    """When the backend falls silent in the middle of a scan, its next step ends in time."""
    began = time.monotonic()
    writer = await bench.open()
    await fill(bench, writer, [f"scan/{number}" for number in range(600)], chunk=600)
    await writer.close()
    engine = await open_impatient(bench, time.monotonic() - began)
    engine.program.gap("the backend was silenced behind the engine's back")
    async with aclosing(engine.engine.scan()) as begun:
        await anext(begun)
        await bench.hooks.stall(engine.engine)

        async def go_on() -> int:
            return len([entry async for entry in begun])

        try:
            left = (await _endings(engine, scan=go_on))["scan"]
        finally:
            await bench.hooks.resume(engine.engine)
    whole = isinstance(left, Exception) or left == 599
    demand(engine, whole, f"the scan ended in silence after {left} of 599 records")


@check("F1", Need.STALL, also=("L1", "L2", "L3"))
async def lease_calls_end_in_time(bench: Bench) -> None:
    """While the backend is silent, acquire, renew, release and fenced writes end in time."""
    async with _silence(bench, held=True) as (engine, lease):
        assert lease is not None
        await _endings(
            engine,
            acquire=lambda: engine.engine.acquire("other", 60),
            renew=lambda: lease.renew(60),
            apply=lambda: engine.engine.apply(Batch().put("k", b"x"), fence=lease),
            release=lease.release,
        )


@check("F1", Need.STALL)
async def closing_ends_in_time(bench: Bench) -> None:
    """While the backend is silent, close ends within the timeout."""
    async with _silence(bench) as (engine, _):
        await _endings(engine, close=engine.engine.close)
    engine = await open_when_free(bench)
    await engine.expect_get("k", b"1")


@check("F1", Need.STALL)
async def the_engine_recovers(bench: Bench) -> None:
    """When the backend answers again, so does the engine that was left waiting."""
    async with _silence(bench) as (engine, _):
        await _endings(engine, **_reads(engine), apply=_writes(engine)["apply"])
    batch = Batch().put("k", b"after").put("k/2", b"3").delete("k/1")
    await _until_answered(lambda: engine.apply(batch))
    await _until_answered(lambda: expect_everything(engine, {"k": b"after", "k/2": b"3"}))


async def _until_answered(call: Call) -> None:
    for _ in range(PATIENCE - 1):
        try:
            await call()
        except EngineUnavailableError:
            continue
        return
    await call()


@check("F2", Need.STALL)
async def silence_is_an_error_of_ours(bench: Bench) -> None:
    """A silent backend shows as EngineUnavailableError, retryable, and as nothing of a driver's."""
    async with _silence(bench) as (engine, _):
        endings = await _endings(engine, **_reads(engine), **_writes(engine))
    for name, ending in endings.items():
        if isinstance(ending, Exception):
            _expect_ours(engine, name, ending, EngineUnavailableError)
    demand(engine, isinstance(endings["apply"], Exception), "apply was acknowledged in silence")


@check("F2", Need.DAMAGE)
async def damage_is_an_error_of_ours(bench: Bench) -> None:
    """A damaged record shows as CorruptRecordError, and as nothing of a decoder's."""
    engine = await bench.open()
    await fill(bench, engine, {"k": b"the value that is about to be damaged", "k/1": b"2"})
    engine.program.gap("a record was damaged behind the engine's back")
    await bench.hooks.damage(engine.engine, "k")
    for name, ending in (await _endings(engine, **_reads(engine))).items():
        if name.startswith("get") or isinstance(ending, Exception):
            _expect_ours(engine, name, ending, CorruptRecordError)


@check("F2")
async def errors_of_use_are_ours(bench: Bench) -> None:
    """Wrong keys, pages and values raise errors of the contract, with their codes."""
    engine = await bench.open()
    raw, large = engine.engine, over(engine.engine.capabilities.max_value)
    engine.program.gap("the check looks at the errors themselves")
    calls: dict[str, tuple[Call, type[WaError]]] = {
        "get of a bad key": (lambda: raw.get("a//b"), InvalidKeyError),
        "set of a bad key": (lambda: raw.set("../x", b""), InvalidKeyError),
        "list of a bad prefix": (lambda: raw.list("//"), InvalidKeyError),
        "list from -1": (lambda: raw.list("", -1), InvalidPageError),
        "a value over the limit": (lambda: raw.set("k", large), ValueTooLargeError),
    }
    if "L1" in bench.claims:
        await raw.acquire("worker", 60)
        calls["acquire of a held lease"] = (lambda: raw.acquire("other", 60), LeaseHeldError)
        calls["acquire for no time"] = (lambda: raw.acquire("other", 0), UsageError)
        calls["acquire for nobody"] = (lambda: raw.acquire("", 60), UsageError)
    for name, (call, kind) in calls.items():
        ending = (await _endings(engine, call=call))["call"]
        _expect_ours(engine, name, ending, kind)


@check("F2")
async def values_of_a_wrong_type_are_refused(bench: Bench) -> None:
    """A value that is neither bytes nor str, and a batch that is none, raise and change nothing."""
    engine = await bench.open()
    await engine.set("k", b"1")
    for value in (5, 1.5, ["x"], {"a": 1}, object):
        await engine.expect_raises((TypeError, UsageError), "set", "k", value)
    for batch in (None, [("k", b"2")], {"k": b"2"}, "k"):
        await engine.expect_raises((TypeError, UsageError), "apply", batch)
    await expect_everything(engine, {"k": b"1"})


@check("F2")
async def no_key_brings_a_driver_error(bench: Bench) -> None:
    """No hostile key makes any call raise: they are valid, whatever the backend thinks of them."""
    engine = await bench.open()
    for key in HOSTILE:
        await engine.get(key)
        await engine.count(key)
        await engine.list(key)
        await engine.set(key, None)
    await engine.expect_list([])


@check("F2")
async def a_closed_engine_says_so(bench: Bench) -> None:
    """After close every call raises EngineClosedError."""
    engine = await bench.open()
    await engine.set("k", b"1")
    await engine.close()
    for method, arguments in (
        ("get", ("k",)),
        ("get_many", (["k"],)),
        ("set", ("k", b"2")),
        ("set", ("k", None)),
        ("apply", (Batch().put("k", b"2"),)),
        ("list", ()),
        ("list", ("", 0, 0)),
        ("count", ()),
        ("clear", ()),
        ("scan", ()),
    ):
        if method != "scan" or "S1" in bench.claims:
            await engine.expect_raises(EngineClosedError, method, *arguments)


@check("F2")
async def closing_twice_is_no_error(bench: Bench) -> None:
    """An engine may be closed again and again, and `async with` may close a closed one."""
    engine = await bench.open()
    await engine.set("k", b"1")
    for _ in range(3):
        await engine.close()
    other = await bench.open()
    engine.program.gap("the engine was used as a context manager")
    async with other.engine as entered:
        demand(other, entered is other.engine, "async with gave another object")
        await other.close()
    await other.close()


@check("F2", Need.SECOND_OPENER)
async def a_reader_refuses_to_write(bench: Bench) -> None:
    """An engine that was opened read-only reads, and raises ReadOnlyError for every write."""
    engine = await bench.open()
    await engine.set("k", b"1")
    reader = await bench.open(read_only=True)
    demand(reader, reader.engine.capabilities.read_only, "its capabilities do not say read_only")
    await reader.expect_get("k", b"1")
    await reader.expect_raises(ReadOnlyError, "set", "k", b"2")
    await reader.expect_raises(ReadOnlyError, "set", "k", None)
    await reader.expect_raises(ReadOnlyError, "apply", Batch().put("k", b"2"))
    await reader.expect_raises(ReadOnlyError, "clear")
    if "L1" in bench.claims:
        await reader.expect_raises(ReadOnlyError, "acquire", "worker", 60)
    await engine.expect_get("k", b"1")


def _expect_ours(engine: Probe, name: str, ending: object, kind: type[WaError]) -> None:
    if not isinstance(ending, Exception):
        engine.fail(f"{name} raised nothing, it returned {ending!r}")
    if not isinstance(ending, kind):
        engine.fail(f"{name} raised {type(ending).__name__} instead of {kind.__name__}: {ending}")
    found: Any = ending
    told = (found.code, found.retryable)
    wanted = (kind.code, kind.retryable)
    if kind is not UsageError and told != wanted:
        engine.fail(f"{name}: {type(ending).__name__} has code and retryable {told}, not {wanted}")
    demand(engine, bool(str(ending).strip()), f"{name}: {type(ending).__name__} says nothing")
