from __future__ import annotations

from collections.abc import Callable

import pytest
from wa_conformance.bench import Bench, OccupiedError
from wa_conformance.target import TargetError
from wa_core.errors import EngineClosedError
from wa_core.storage import list_sessions, open_engine

MakeBench = Callable[..., Bench]


async def test_opening_twice_gives_two_objects_on_one_session(bench_on: MakeBench) -> None:
    bench = bench_on()

    engine, other = await bench.open(), await bench.second()
    await engine.set("a", b"1")

    assert engine.engine is not other.engine
    assert await other.get("a") == b"1"
    assert [engine.name, other.name] == ["engine", "other"]
    await bench.clean_up()


async def test_the_second_opener_of_an_engine_with_one_writer_reads(bench_on: MakeBench) -> None:
    bench = bench_on("faulty:OneOpener")
    bench.capabilities = (await bench.open()).engine.capabilities

    other = await bench.second()

    assert other.engine.capabilities.read_only
    await bench.clean_up()


async def test_reopening_keeps_session_and_name(bench_on: MakeBench) -> None:
    bench = bench_on()
    engine = await bench.open(timeout="3")
    await engine.set("a", b"1")

    again = await bench.reopen(engine)

    assert (again.name, again.session) == (engine.name, engine.session)
    assert again.engine.timeout == 3
    assert await again.get("a") == b"1"
    with pytest.raises(EngineClosedError):
        await engine.get("a")
    await bench.clean_up()


async def test_nothing_is_left_behind(bench_on: MakeBench) -> None:
    bench = bench_on("memory:left-behind")
    for session in (bench.session, bench.new_session("a/b"), bench.new_session("..")):
        await (await bench.open(session)).set("a", b"1")
    assert len(await list_sessions("memory:left-behind")) == 3

    await bench.clean_up()

    assert await list_sessions("memory:left-behind") == []
    assert bench.notes == []


async def test_a_session_that_was_closed_is_emptied_too(bench_on: MakeBench) -> None:
    bench = bench_on("memory:closed-before")
    engine = await bench.open()
    await engine.set("a", b"1")
    await engine.close()

    await bench.clean_up()

    assert await list_sessions("memory:closed-before") == []


async def test_somebodys_records_are_not_touched(bench_on: MakeBench) -> None:
    async with await open_engine("memory:precious#default") as theirs:
        await theirs.set("session/creds", b"identity")

    bench = bench_on("memory:precious")
    with pytest.raises(OccupiedError, match="give the suite a place of its own"):
        await bench.open("default")
    await bench.clean_up()

    async with await open_engine("memory:precious#default") as theirs:
        assert await theirs.get("session/creds") == b"identity"


async def test_a_restart_begins_with_nothing(bench_on: MakeBench) -> None:
    bench = bench_on("memory:restarted")
    before = bench.session
    await (await bench.open()).set("a", b"1")

    await bench.restart()
    await (await bench.open()).expect_list([])

    assert bench.session != before
    assert bench.program.sources()[0].startswith("engine = await open_engine(")
    assert await list_sessions("memory:restarted") == []
    await bench.clean_up()


async def test_what_cannot_be_cleaned_up_is_noted(bench_on: MakeBench) -> None:
    bench = bench_on("faulty:CannotClear")
    await bench.open()

    await bench.clean_up()

    assert len(bench.notes) == 1
    assert "was not cleaned up" in bench.notes[0]


async def test_only_a_url_has_a_url(bench_on: MakeBench) -> None:
    bench = bench_on("memory:place")
    assert bench.url(timeout="3") == f"memory:place?timeout=3#{bench.session}"
    assert bench.url("") == "memory:place"

    with pytest.raises(TargetError, match="is no URL"):
        bench_on("faulty:Healthy").url()
