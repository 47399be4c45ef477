"""Engines behind a pipe: the protocol, what happens when a program dies, and the one in Node."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from wa_conformance import wire
from wa_conformance.profile import QUICK
from wa_conformance.runner import run
from wa_conformance.stdio import StdioEngine
from wa_conformance.subject import Status, Subject
from wa_conformance.target import Target, TargetError, parse_target
from wa_core.errors import (
    CorruptRecordError,
    EngineUnavailableError,
    FencedError,
    InvalidKeyError,
    InvalidPageError,
    InvalidPositionError,
    LeaseHeldError,
    StoreVersionError,
    UnsupportedError,
    ValueTooLargeError,
    WaError,
)
from wa_core.storage import CORE, FULL, Batch

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
CHILD = f"stdio:{shlex.quote(sys.executable)} -m wa_conformance.child memory:"
FACTS = ("key", "holder", "expires_in", "size", "limit", "epoch", "found")
HELLO = '{"id":1,"protocol":1,"claims":["core"],"durability":"volatile","shared":true}'
OPENED = '{"id":2,"engine":1}'


MakeTarget = Callable[[str], Target]


@pytest.fixture
async def target_of() -> AsyncIterator[MakeTarget]:
    made: list[Target] = []

    def make(text: str) -> Target:
        made.append(parse_target(text))
        return made[-1]

    yield make
    for target in made:
        await target.release()


def program(folder: Path, *lines: str) -> str:
    file = folder / "program.py"
    file.write_text("import sys\n" + "\n".join(lines))
    return f"stdio:{shlex.quote(sys.executable)} {shlex.quote(str(file))}"


def says(*lines: str) -> list[str]:
    """Answer one question with each line, whatever it was."""
    return [f"sys.stdin.readline(); print({line!r}, flush=True)" for line in lines]


async def test_two_engines_on_one_session_see_each_other(target_of: MakeTarget) -> None:
    target = target_of(CHILD)

    async with await target.open("a") as engine, await target.open("a") as other:
        await engine.apply(Batch().put("k", b"\x00\xff").put("k/x", b"", at=5))
        assert await other.get_many(["k", "k/x", "gone"]) == {"k": b"\x00\xff", "k/x": b""}
        assert await other.list() == ["k", "k/x"]
        assert await other.count("k/") == 1
        assert {entry.key: entry.at async for entry in other.scan("k/")} == {"k/x": 5}
        async with await target.open("b") as stranger:
            assert await stranger.list() == []


async def test_errors_keep_their_facts(target_of: MakeTarget) -> None:
    async with await target_of(CHILD).open("a") as engine:
        lease = await engine.acquire("me", 5)
        with pytest.raises(LeaseHeldError) as held:
            await engine.acquire("you", 5)
        await lease.release()
        with pytest.raises(FencedError):
            await engine.apply(Batch().put("k", b"1"), fence=lease)
        with pytest.raises(InvalidKeyError):
            await engine.get("a//b")
        with pytest.raises(InvalidKeyError):
            await engine.set("\ud800", b"1")
        with pytest.raises(InvalidPageError):
            await engine.list("", -1)
        with pytest.raises(InvalidPositionError):
            await engine.set("k", b"1", at=-1)

    assert held.value.holder == "me"
    assert 0 < held.value.expires_in <= 5


def test_every_error_of_the_contract_survives_the_wire() -> None:
    for error in (
        CorruptRecordError("k"),
        StoreVersionError(9, 1),
        ValueTooLargeError(9, 8),
        LeaseHeldError("me", 2.0),
        FencedError(3),
        InvalidKeyError("k", "why"),
    ):
        answer = wire.read(wire.written(wire.error_message(error)))
        again = wire.error_of(answer, {})
        assert isinstance(again, type(error))
        facts = {name: fact for name, fact in vars(error).items() if name in FACTS}
        assert {name: vars(again)[name] for name in facts} == facts


def test_an_error_of_the_programs_own_is_none_of_the_contracts() -> None:
    found = wire.error_of({"error": "TypeError", "message": "x is undefined"}, {})

    assert not isinstance(found, WaError)


@pytest.mark.parametrize("line", ["nonsense", "[1]", '"text"'])
def test_a_line_that_is_no_object_breaks_the_protocol(line: str) -> None:
    with pytest.raises(wire.WireError):
        wire.read(line.encode())


def test_claims_are_ids_or_levels() -> None:
    assert wire.claims_of(["core"]) == CORE
    assert wire.claims_of(["core", "W1"]) == CORE | {"W1"}
    assert wire.claims_of(["full"]) == FULL
    for wrong in ([], None, ["W99"], "core"):
        with pytest.raises(wire.WireError):
            wire.claims_of(wrong)


async def test_a_program_that_dies_is_a_backend_that_does_not_answer(
    tmp_path: Path, target_of: MakeTarget
) -> None:
    target = target_of(program(tmp_path, *says(HELLO, OPENED), "sys.stdin.readline()"))
    engine = await target.open("a")

    with pytest.raises(EngineUnavailableError):
        await engine.get("k")
    with pytest.raises(EngineUnavailableError):
        await engine.get("k")
    with pytest.raises(EngineUnavailableError):
        await engine.close()


async def test_a_program_that_is_silent_is_a_backend_that_does_not_answer(
    tmp_path: Path, target_of: MakeTarget
) -> None:
    target = target_of(program(tmp_path, *says(HELLO, OPENED), "sys.stdin.read()"))
    engine = await target.open("a", params={"timeout": "0.2"})

    with pytest.raises(EngineUnavailableError):
        await engine.get("k")
    with pytest.raises(EngineUnavailableError):
        await engine.close()


async def test_a_program_that_talks_nonsense_is_told_so(
    tmp_path: Path, target_of: MakeTarget
) -> None:
    target = target_of(program(tmp_path, *says(HELLO, OPENED, "oops"), "sys.stdin.read()"))
    engine = await target.open("a")

    with pytest.raises(wire.WireError, match="no JSON: b'oops"):
        await engine.get("k")
    with pytest.raises(wire.WireError):
        await engine.close()


@pytest.mark.parametrize(
    ("hello", "error", "says_"),
    [
        ('{"id":1,"protocol":2}', TargetError, "speaks protocol 2"),
        ('{"id":1,"protocol":1,"claims":["core"]}', wire.WireError, "durability"),
        ('{"id":1,"protocol":1,"durability":"power","shared":true}', wire.WireError, "claimed"),
    ],
)
async def test_a_hello_that_says_too_little_is_refused(
    tmp_path: Path, hello: str, error: type[Exception], says_: str, target_of: MakeTarget
) -> None:
    target = target_of(program(tmp_path, *says(hello), "sys.stdin.read()"))

    with pytest.raises(error, match=says_):
        await target.open("a")


async def test_what_a_program_does_not_offer_is_refused_not_imitated(
    tmp_path: Path, target_of: MakeTarget
) -> None:
    target = target_of(program(tmp_path, *says(HELLO, OPENED, '{"id":3}')))

    async with await target.open("a") as engine:
        with pytest.raises(UnsupportedError):
            await engine.apply(Batch().put("a", b"").put("b", b""))
        with pytest.raises(UnsupportedError):
            await engine.acquire("me", 1)
        with pytest.raises(UnsupportedError):
            await anext(aiter(engine.scan()))


async def test_a_stalled_program_goes_on(target_of: MakeTarget) -> None:
    target = target_of(CHILD)
    engine = await target.open("a", params={"timeout": "0.3"})
    await engine.set("k", b"1")

    await target.hooks.stall(engine)
    with pytest.raises(EngineUnavailableError):
        await engine.get("k")
    await target.hooks.resume(engine)

    assert await engine.get("k") == b"1"
    await engine.close()


async def test_a_volatile_program_keeps_its_sessions_until_it_is_released(
    target_of: MakeTarget,
) -> None:
    target = target_of(CHILD)
    async with await target.open("a") as engine:
        await engine.set("k", b"1")
        assert isinstance(engine, StdioEngine)
        link = engine.line.link

    async with await target.open("a") as again:
        assert await again.get("k") == b"1"
    assert not link.over
    await target.release()

    assert link.over
    async with await target.open("a") as anew:
        assert await anew.get("k") is None


async def test_a_persistent_program_starts_anew_when_no_session_is_open(
    target_of: MakeTarget,
) -> None:
    target = target_of(CHILD.replace("memory:", "faulty:Persistent"))
    async with await target.open("a") as engine, await target.open("b") as other:
        assert isinstance(engine, StdioEngine)
        link = engine.line.link
        await engine.close()
        assert not link.over
        await other.close()

    assert link.over
    async with await target.open("a") as again:
        assert await again.get("k") is None


async def test_many_calls_share_the_line(target_of: MakeTarget) -> None:
    async with await target_of(CHILD).open("a") as engine:
        await asyncio.gather(*(engine.set(f"k{n}", str(n)) for n in range(200)))
        values = await asyncio.gather(*(engine.get(f"k{n}") for n in range(200)))

    assert values == [str(n).encode() for n in range(200)]


def test_any_engine_can_be_judged_through_the_pipe() -> None:
    subject = Subject.of(parse_target(CHILD))

    report = run(subject, profile=QUICK, seed=1, only=["K3", "G2", "G3", "W3"])

    assert report.exit_code == 0, report.to_json()
    assert report.count(Status.PASSED) > 10


def node(*arguments: str) -> str:
    if shutil.which("node") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("node is not installed, and CI must judge docs/engine.js")
        pytest.skip("not run: docs/engine.js needs node (apt install nodejs)")
    return f"stdio:node {shlex.quote(str(ROOT / 'docs' / 'engine.js'))} {' '.join(arguments)}"


def test_the_engine_in_node_passes_core() -> None:
    subject = Subject.of(parse_target(node()))
    assert subject.claims == CORE

    report = run(subject, profile=QUICK, seed=1)

    assert [outcome.id for outcome in report.of(Status.FAILED, Status.NOT_RUN)] == []
    assert report.exit_code == 0


def test_the_engine_in_node_with_a_bug_fails_at_the_clause_it_breaks() -> None:
    subject = Subject.of(parse_target(node("--with-bug")))

    report = run(subject, profile=QUICK, seed=1, only=["C1", "V1", "O2"], verify=False)

    assert {outcome.clause for outcome in report.of(Status.FAILED)} == {"C1"}


def test_the_engine_in_node_is_short() -> None:
    lines = (ROOT / "docs" / "engine.js").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.startswith("//")]

    assert len(code) <= 66


def test_the_child_stops_at_the_end_of_its_input() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "wa_conformance.child", "memory:"],
        input=b'{"id":1,"op":"no such op"}\n',
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert ended.returncode == 0
    assert b'"error":"unsupported"' in ended.stdout
