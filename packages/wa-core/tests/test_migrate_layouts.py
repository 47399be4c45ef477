"""A layout of somebody else's tool as source and target: no leases, no positions, no marker."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import ClassVar

import pytest
from migrate_bench.sample import fill, held, opens
from migrate_bench.small import AUTH, RECORDS
from wa_core.errors import (
    SourceChangedError,
    TargetUnfitError,
    UsageError,
)
from wa_core.migrate import Phase, Progress, copy
from wa_core.state.moves import (
    MOVE_KEY,
    check_openable,
    get_move,
)
from wa_core.storage import (
    Engine,
    EngineUrl,
    MemoryEngine,
    MemoryStore,
    Provider,
    open_engine,
    registry,
)
from wa_core.storage.memory import MemoryProvider


class Narrow(MemoryEngine):
    """A layout of somebody else: no leases, no positions, nothing but the session."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        claims = self._capabilities.claims - {"L1", "L2", "L3", "O1"}
        self._capabilities = replace(self._capabilities, claims=claims)

    def holds(self, key: str) -> bool:
        return key == MOVE_KEY or key.startswith("session/")


class NarrowProvider(MemoryProvider):
    """Opens `narrow:` places."""

    stores: ClassVar[dict[str, MemoryStore]] = {}

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        return Narrow(self.stores.setdefault(url.place, MemoryStore()))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> str:
    """Offer a layout of somebody else, and name a place in it."""
    known = registry.provider_for

    def found(scheme: str) -> Provider:
        return NarrowProvider() if scheme == "narrow" else known(scheme)

    monkeypatch.setattr(registry, "provider_for", found)
    return f"narrow:{secrets.token_hex(8)}"


@pytest.mark.parametrize("dry_run", [False, True])
async def test_what_has_no_place_in_the_target_is_refused_before_anything_is_written(
    source: str, narrow: str, dry_run: bool
) -> None:
    await fill(source, RECORDS)

    with pytest.raises(TargetUnfitError, match="no place"):
        await copy(source, narrow, dry_run=dry_run)

    assert await held(narrow) == {}
    async with await open_engine(source) as engine:
        assert await get_move(engine) is None


async def test_a_layout_of_somebody_else_takes_what_it_can_and_gives_it_back(
    source: str, target: str, narrow: str
) -> None:
    await fill(source, AUTH)

    there = await copy(source, narrow)
    back = await copy(narrow, target)

    assert {key: value for key, (value, _) in (await held(target)).items()} == AUTH
    assert any("positions" in warning for warning in there.warnings)
    assert any("leases" in warning for warning in back.warnings)


async def test_a_kept_source_is_out_of_reach_of_a_tool_that_reads_no_marker(
    narrow: str, target: str
) -> None:
    await fill(narrow, AUTH)

    await copy(narrow, target, keep_source=True)

    there = await held(narrow)
    assert set(there) == set(AUTH) - {"session/creds"}
    async with await open_engine(narrow) as engine:
        await check_openable(engine, force=True)
    assert set(await held(narrow)) == set(AUTH)


async def test_a_dry_run_by_force_tells_what_would_be_of_a_source_that_was_kept(
    narrow: str, source: str, target: str
) -> None:
    await fill(narrow, AUTH)
    await copy(narrow, source, keep_source=True)

    report = await copy(narrow, target, dry_run=True, force=True)

    assert report.outcome == "would move"
    assert not await opens(narrow)


async def test_a_layout_without_leases_is_the_same_store_under_two_names(
    narrow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(narrow, AUTH)
    alias = f"{narrow}-alias"
    NarrowProvider.stores[alias.partition(":")[2]] = NarrowProvider.stores[narrow.partition(":")[2]]

    with pytest.raises(UsageError, match="the same store"):
        await copy(narrow, alias)

    assert await opens(narrow)


async def test_an_older_tool_that_writes_meanwhile_is_noticed(narrow: str, target: str) -> None:
    await fill(narrow, AUTH)
    store = NarrowProvider.stores[narrow.partition(":")[2]]

    def write(progress: Progress) -> None:
        if progress.phase is Phase.COPYING:
            store.put("session/creds", b"ratcheted", None)

    with pytest.raises(SourceChangedError):
        await copy(narrow, target, listener=write)

    assert await opens(narrow)
    assert not await opens(target)
