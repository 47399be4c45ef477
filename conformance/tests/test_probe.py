from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from wa_conformance import probe as probe_module
from wa_conformance.bench import Bench
from wa_conformance.violation import Violation
from wa_core.errors import CorruptRecordError, FencedError, InvalidKeyError, LeaseHeldError
from wa_core.storage import Batch

MakeBench = Callable[..., Bench]


async def test_a_recorded_program_runs_again(bench_on: MakeBench) -> None:
    bench = bench_on()
    engine = await bench.open()
    await engine.set("a", "text")
    await engine.apply(Batch().put("a/b", bytes(1000), at=3).delete("c"))
    lease = await engine.acquire("me", 5)
    await engine.apply(Batch().put("z", b"1"), fence=lease)
    await engine.expect_raises(LeaseHeldError, "acquire", "you", 5)
    await engine.renew(lease)
    await engine.release(lease)
    await engine.expect_raises(FencedError, "apply", Batch().delete("z"), fence=lease)
    await engine.expect_many(["a", "q"], {"a": b"text"})
    await engine.expect_list(["z", "a", "a/b"])
    await engine.expect_list(["a"], "", 1, 1)
    await engine.expect_count(2, "a")
    await engine.expect_scan({"a": (b"text", None), "a/b": (bytes(1000), 3)}, "a")
    engine = await bench.reopen(engine)
    await engine.expect_get("q", None)
    program, gaps = bench.program.sources(), list(bench.program.gaps)
    await bench.clean_up()

    ran = await _run(program, bench)

    assert gaps == []
    assert ran == len(program)
    assert bench.notes == []


async def test_an_expectation_that_fails_shows_both_sides_and_the_way_there(
    bench_on: MakeBench,
) -> None:
    bench = bench_on(clause="O2")
    engine = await bench.open()
    await engine.set("a", b"1", at=1)
    await engine.set("b", b"2", at=2)

    with pytest.raises(Violation) as seen:
        await engine.expect_list(["a", "b"])

    assert seen.value.clause == "O2"
    assert "highest position first" in seen.value.sentence
    assert "['b', 'a']" in str(seen.value)
    assert "order differs from item 0" in str(seen.value)
    assert seen.value.program[-1] == "assert await engine.list('') == ['a', 'b']"
    await bench.clean_up()


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda e: e.expect_get("a", b"2"), "returned b'1', expected b'2'"),
        (lambda e: e.expect_get("a", None), "expected None"),
        (lambda e: e.expect_get("b", b""), "returned None, expected b''"),
        (lambda e: e.expect_many(["a"], {}), "should not hold 'a'"),
        (lambda e: e.expect_many(["a"], {"a": b"1", "b": b"2"}), "misses 'b'"),
        (lambda e: e.expect_count(2), "returned 1, expected 2"),
        (lambda e: e.expect_list([]), "not expected ['a']"),
        (lambda e: e.expect_scan({"a": (b"1", 8)}), "(b'1', 7)"),
        (lambda e: e.expect_scan({}), "['a']"),
        (lambda e: e.expect_raises(InvalidKeyError, "get", "a"), "raised no InvalidKeyError"),
        (lambda e: e.expect_raises(FencedError, "get", ""), "InvalidKeyError instead of Fenced"),
    ],
)
async def test_every_expectation_can_fail(
    bench_on: MakeBench, call: Callable[[probe_module.Probe], asyncio.Future[None]], hint: str
) -> None:
    bench = bench_on()
    engine = await bench.open()
    await engine.set("a", b"1", at=7)

    with pytest.raises(Violation) as seen:
        await call(engine)

    assert hint in str(seen.value)
    await bench.clean_up()


async def test_a_call_that_does_not_end_breaks_f1(
    bench_on: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_module, "GRACE_S", 0.05)
    bench = bench_on("faulty:Hangs", clause="V1")
    engine = await bench.open(timeout="0.05")

    with pytest.raises(Violation, match=r"(?s)neither result nor error.*\[F1: ") as seen:
        await engine.get("a")

    assert seen.value.program[-1].startswith("async with asyncio.timeout(0.1):")
    await bench.clean_up()


async def test_a_drivers_own_error_breaks_f2(bench_on: MakeBench) -> None:
    bench = bench_on("faulty:LeaksDriverErrors", clause="O6")
    engine = await bench.open()

    with pytest.raises(Violation, match=r"let KeyError out.*\[F2: ") as seen:
        await engine.count()

    assert isinstance(seen.value.__cause__, KeyError)
    await bench.clean_up()


async def test_an_error_of_the_contract_comes_out_as_it_is(bench_on: MakeBench) -> None:
    bench = bench_on()
    engine = await bench.open()
    await engine.set("a", b"1")
    await bench.hooks.damage(engine.engine, "a")

    with pytest.raises(CorruptRecordError):
        await engine.get("a")
    await engine.set("a", b"2")

    assert bench.program.sources()[-2] == (
        "with suppress(CorruptRecordError):\n    await engine.get('a')"
    )
    await bench.clean_up()


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ("together", "calls ran at the same time"),
        ("cancelled", "a call was cancelled"),
        ("long", "a value is too long to print"),
        ("hook", "the hook damage was called"),
        ("computed", "the last fact was computed by the check"),
    ],
)
async def test_what_lines_cannot_tell_is_a_gap(bench_on: MakeBench, seen: str, reason: str) -> None:
    bench = bench_on("faulty:Healthy")
    engine = await bench.open()
    assert bench.program.gaps == []

    if seen == "together":
        await bench.hooks.stall(engine.engine)
        first = asyncio.create_task(engine.set("a", b"1"))
        second = asyncio.create_task(engine.set("b", b"1"))
        await asyncio.sleep(0)
        await bench.hooks.resume(engine.engine)
        await asyncio.gather(first, second)
    elif seen == "cancelled":
        await bench.hooks.stall(engine.engine)
        call = asyncio.create_task(engine.get("a"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await bench.hooks.resume(engine.engine)
    elif seen == "long":
        await engine.set("a", bench.rng.randbytes(5_000))
    elif seen == "hook":
        await bench.hooks.damage(engine.engine, "a")
    else:
        with pytest.raises(Violation, match="does not hold: 1 == 2"):
            engine.expect(False, "1 == 2")

    assert reason in bench.program.gaps
    await bench.clean_up()


async def _run(program: list[str], bench: Bench) -> int:
    names: dict[str, object] = {"RUN": "conf-again"}
    imports = [*bench.target.imports(), "from wa_core.storage import Batch"]
    imports += [f"from {module} import {name}" for name, module in bench.program.errors.items()]
    body = "\n".join(program).replace("\n", "\n    ")
    exec("\n".join(imports) + f"\nasync def main():\n    {body}", names)
    await names["main"]()  # type: ignore[operator]
    return len(program)
