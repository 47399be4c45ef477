from __future__ import annotations

from pathlib import Path

import pytest
from wa_conformance import open_target
from wa_conformance.target import FactoryTarget, Target, TargetError, UrlTarget, parse_target
from wa_core.storage import MemoryEngine


async def test_a_url_keeps_its_place_and_takes_any_session() -> None:
    target = parse_target("memory:place?timeout=4#ignored")

    assert isinstance(target, UrlTarget)
    assert target.url("a b/c") == "memory:place?timeout=4#a%20b%2Fc"
    async with await target.open("x", params={"timeout": "7"}) as engine:
        assert engine.timeout == 7


@pytest.mark.parametrize("text", ["faulty:Healthy", "faulty:made_later"])
async def test_a_factory_is_called_with_a_session(text: str) -> None:
    target = parse_target(text)

    async with await target.open("x") as engine, await target.open("x") as again:
        await engine.set("a", b"1")
        assert await again.get("a") == b"1"

    assert isinstance(target, FactoryTarget)


async def test_a_factory_itself_is_a_target() -> None:
    target = parse_target(lambda session: MemoryEngine())

    async with await target.open("x") as engine:
        assert isinstance(engine, MemoryEngine)

    assert not target.reachable


async def test_a_factory_gets_what_it_takes() -> None:
    target = parse_target("faulty:Healthy")

    async with await target.open("x", params={"timeout": "0.5"}) as engine:
        assert engine.timeout == 0.5
    async with await target.open("x", read_only=True) as reader:
        assert reader.capabilities.read_only
    with pytest.raises(TargetError, match="takes no durability="):
        await target.open("x", params={"durability": "power"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing", "is no target: give an engine URL"),
        ("faulty:Missing", "faulty has no Missing"),
        ("faulty.deeper:Missing", "No module named"),
        ("faulty:HERE", "has no HERE"),
        ("faulty:__doc__", "cannot be called"),
        ("9:x", "it begins with a scheme"),
        ("stdio:", "needs a command"),
    ],
)
def test_what_is_no_target_says_what_would_be(text: str, says: str) -> None:
    with pytest.raises(TargetError, match=says):
        parse_target(text)


async def test_a_factory_must_give_an_engine() -> None:
    with pytest.raises(TargetError, match="must return an Engine, it returned a str"):
        await open_target("faulty:no_engine", "x")


def test_a_scheme_goes_before_a_module_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.py").write_text("factory = print\n")
    monkeypatch.chdir(tmp_path)

    assert isinstance(parse_target("memory:factory"), UrlTarget)


@pytest.mark.parametrize("url", ["x://me:hunter2@host/0?token=hunter2", "x://:hunter2@host"])
def test_a_secret_is_not_shown(url: str) -> None:
    target: Target = parse_target(url)

    shown = target.shown + target.source("RUN", read_only=False, params={})

    assert "hunter2" not in shown


def test_a_variable_is_shown_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TEST_HOST", "somewhere")
    target = parse_target("x://${WA_TEST_HOST}/0")

    assert target.shown == "x://${WA_TEST_HOST}/0"
    assert isinstance(target, UrlTarget)
    assert target.url("s") == "x://somewhere/0#s"
