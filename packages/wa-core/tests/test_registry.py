"""Engines are found by entry point, and a missing one says what to install [U1, N2]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wa_core.errors import (
    EngineConfigError,
    InvalidUrlError,
    ReadOnlyError,
    StorageError,
    StoreVersionError,
    UnknownEngineError,
)
from wa_core.storage import (
    Durability,
    EngineUrl,
    MemoryEngine,
    ReadOnlyEngine,
    bare_url,
    installed_schemes,
    list_sessions,
    open_engine,
    registry,
)

THIRD_PARTY = """
from wa_core.errors import StorageError
from wa_core.storage import MemoryEngine, Provider, Wrapper, WrapperEngine

class Other(Provider):
    async def open(self, url, *, read_only=False):
        return MemoryEngine(timeout=3.0)

    async def list_sessions(self, url):
        return ["b", "a", repr(url.session)]

class NoProvider:
    pass

class Loud(Wrapper):
    async def wrap(self, engine, value):
        if value == "no":
            raise StorageError("it was told so")
        return LoudEngine(engine)

class LoudEngine(WrapperEngine):
    async def _get_many(self, keys):
        return {key: value.upper() for key, value in (await super()._get_many(keys)).items()}
"""


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a dist with two schemes for the time of a test."""
    (tmp_path / "wa_other_store.py").write_text(THIRD_PARTY)
    info = tmp_path / "wa_other_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wa-other-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[wa.engines]\nother = wa_other_store:Other\nbroken = wa_other_store:NoProvider\n"
        "[wa.wrappers]\nloud = wa_other_store:Loud\nquiet = wa_other_store:NoProvider\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for found in (registry._installed, registry._wrappers):
        found.cache_clear()
    yield
    for found in (registry._installed, registry._wrappers):
        found.cache_clear()


async def test_the_memory_engine_is_found_by_its_scheme() -> None:
    engine = await open_engine("memory:#found")

    assert isinstance(engine, MemoryEngine)
    assert "memory" in installed_schemes()


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("rediss", "wa-engine-redis"),
        ("mongodb+srv", "wa-engine-mongo"),
        ("postgresql", "wa-engine-sql"),
        ("mariadb", "wa-engine-sql"),
        ("sqlite", "wa-engine-sql"),
        ("etcd", "wa-engine-etcd"),
    ],
)
async def test_an_unknown_scheme_names_the_package_to_install(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_installed", lambda: {"memory": None, "file": None})

    with pytest.raises(UnknownEngineError) as caught:
        await open_engine(f"{scheme}://user:hunter2@host/0#5491112345678")

    assert caught.value.package == package
    assert caught.value.installed == ("file", "memory")
    assert "hunter2" not in str(caught.value)
    assert "5491112345678" not in str(caught.value)


@pytest.mark.usefixtures("third_party")
async def test_a_package_of_somebody_else_is_found_like_ours() -> None:
    engine = await open_engine("other:place")

    assert engine.timeout == 3.0
    assert {"other", "broken", "memory"} <= set(installed_schemes())


@pytest.mark.usefixtures("third_party")
async def test_sessions_are_sorted_and_asked_of_the_place() -> None:
    assert await list_sessions("other:place#ignored") == ["None", "a", "b"]


@pytest.mark.usefixtures("third_party")
async def test_an_entry_point_that_is_no_provider_is_an_error_of_the_store() -> None:
    with pytest.raises(StorageError, match="is no Provider"):
        await open_engine("broken:")


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize("url", ["other:place", "memory:#locked"])
async def test_read_only_holds_also_where_the_provider_ignores_it(url: str) -> None:
    for engine in (
        await open_engine(url, read_only=True),
        await open_engine(url + "?readonly=1" if "#" not in url else "memory:?readonly=1#locked"),
    ):
        assert isinstance(engine, ReadOnlyEngine)
        assert engine.capabilities.read_only
        with pytest.raises(ReadOnlyError, match="read-only"):
            await engine.set("a", b"1")
        assert await engine.count() == 0


async def test_a_parsed_url_opens_too() -> None:
    await (await open_engine(EngineUrl.parse("memory:parsed#s"))).set("a", b"1")

    assert await list_sessions(EngineUrl.parse("memory:parsed")) == ["s"]


async def test_one_url_is_one_session() -> None:
    first, second = await open_engine("memory:one#s"), await open_engine("memory:one#s")
    other, elsewhere = await open_engine("memory:one#t"), await open_engine("memory:two#s")

    await first.set("a", b"1")

    assert await second.get("a") == b"1"
    assert await other.get("a") is None
    assert await elsewhere.get("a") is None


async def test_without_a_name_the_session_is_default() -> None:
    await (await open_engine("memory:unnamed")).set("a", b"1")

    assert await (await open_engine("memory:unnamed#default")).get("a") == b"1"
    assert await list_sessions("memory:unnamed") == ["default"]


async def test_only_sessions_that_hold_anything_are_listed() -> None:
    engine = await open_engine("memory:listed#a/b c%")
    await open_engine("memory:listed#empty")
    hostile = await open_engine("memory:listed#%2e%2e")
    await engine.set("k", b"")
    await hostile.set("k", b"")

    assert await list_sessions("memory:listed#whatever") == ["..", "a/b c%"]
    await engine.clear()
    assert await list_sessions("memory:listed") == [".."]
    assert await list_sessions("memory:nowhere") == []


async def test_memory_promises_no_durability_that_it_has_not() -> None:
    engine = await open_engine("memory:?durability=volatile")
    assert engine.capabilities.durability is Durability.VOLATILE
    for level in ("process", "power"):
        with pytest.raises(EngineConfigError, match="cannot be more"):
            await open_engine(f"memory:?durability={level}")


async def test_a_parameter_nobody_knows_is_refused_at_the_door() -> None:
    with pytest.raises(InvalidUrlError, match="unknown parameter 'prefx'"):
        await open_engine("memory:?prefx=1")


async def test_the_timeout_of_the_url_reaches_the_engine() -> None:
    assert (await open_engine("memory:?timeout=0.5")).timeout == 0.5
    assert (await open_engine("memory:")).timeout == 10.0


async def test_a_store_of_a_newer_contract_is_refused() -> None:
    engine = await open_engine("memory:newer#s")
    assert isinstance(engine, MemoryEngine)
    engine.store.version += 1

    with pytest.raises(StoreVersionError, match="nothing was touched"):
        await open_engine("memory:newer#s")


@pytest.mark.usefixtures("third_party")
async def test_a_parameter_brings_the_wrapper_of_another_package() -> None:
    async with await open_engine("memory:wrapped?loud=yes&timeout=3#a") as engine:
        await engine.set("k", b"value")

        assert await engine.get("k") == b"VALUE"
    async with await open_engine("memory:wrapped#a") as plain:
        assert await plain.get("k") == b"value"
    assert await list_sessions("memory:wrapped?loud=yes") == ["a"]
    bare = bare_url(EngineUrl.parse("memory:wrapped?loud=yes&timeout=3#a"))
    assert str(bare) == "memory:wrapped?timeout=3#a"


@pytest.mark.usefixtures("third_party")
async def test_a_wrapper_that_refuses_leaves_nothing_open_and_hides_no_session() -> None:
    async with await open_engine("memory:refused#a") as engine:
        await engine.set("k", b"")

    with pytest.raises(StorageError, match="it was told so"):
        await open_engine("memory:refused?loud=no#a")
    assert await list_sessions("memory:refused?loud=no") == ["a"]


@pytest.mark.usefixtures("third_party")
async def test_an_entry_point_that_is_no_wrapper_is_refused() -> None:
    with pytest.raises(StorageError, match="no Wrapper"):
        await open_engine("memory:?quiet=1")
