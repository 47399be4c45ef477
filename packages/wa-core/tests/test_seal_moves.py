"""Sealed stores as sessions: opened, moved, sealed and unsealed in passing, never mistaken."""

from __future__ import annotations

import itertools
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import pytest
from migrate_bench.sample import fill, held, opens, whole_records
from wa_core.errors import (
    MoveConflictError,
    SealedStoreError,
    SessionMovedError,
    UnsealedStoreError,
    UsageError,
    WaError,
    WrongKeyError,
)
from wa_core.migrate import check, copy
from wa_core.seal import HEAD_KEY, new_key
from wa_core.seal.record import FORMAT
from wa_core.state import AuthState
from wa_core.state.moves import Stage, check_openable, get_move
from wa_core.storage import EngineUrl, lasting_url, open_engine, without_secrets
from wa_core.storage.layouts import CREDS


@pytest.fixture(autouse=True)
def _keys_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_KEY_A", new_key())
    monkeypatch.setenv("WA_KEY_B", new_key())


def place_of(kind: str, folder: Path) -> str:
    name = secrets.token_hex(4)
    return {
        "memory": f"memory:{name}",
        "file": f"file:{folder}/{name}",
        "sqlite": f"sqlite:{folder}/{name}.db",
    }[kind]


async def everything(url: str) -> dict[str, bytes]:
    async with await open_engine(url, read_only=True) as engine:
        return {entry.key: entry.value async for entry in engine.scan()}


@pytest.mark.parametrize(
    ("first", "second"), [("file", "sqlite"), ("sqlite", "file"), ("memory", "memory")]
)
async def test_a_session_is_sealed_resealed_and_unsealed_on_its_way(
    first: str, second: str, tmp_path: Path
) -> None:
    places = [place_of(kind, tmp_path) for kind in (first, second, first, second)]
    stations = [
        places[0],
        f"{places[1]}?seal=env:WA_KEY_A",
        f"{places[2]}?seal=env:WA_KEY_B",
        places[3],
    ]
    records = whole_records(3, 5)
    await fill(stations[0], records)
    before = await held(stations[0])

    for source, target in itertools.pairwise(stations):
        report = await copy(source, target)
        assert report.records == len(before)
        assert not await opens(source)
        assert await opens(target)
        assert await held(target) == before

    for number in (1, 2):
        left = await everything(places[number])
        assert all(value[0] == FORMAT for key, value in left.items() if key != HEAD_KEY)


async def test_what_lies_in_a_sealed_target_is_sealed(tmp_path: Path) -> None:
    source, target = place_of("memory", tmp_path), place_of("file", tmp_path)
    records = whole_records(2, 3)
    await fill(source, records)

    await copy(source, f"{target}?seal=env:WA_KEY_A", keep_source=True)

    stored = await everything(target)
    plain = {value for value in records.values() if len(value) > 8}
    assert set(stored) == {*records, HEAD_KEY}
    assert not any(value in sealed for sealed in stored.values() for value in plain)
    found = await check(source, f"{target}?seal=env:WA_KEY_A", tell=lambda *_: None)
    assert found.is_equal


async def test_a_sealed_store_opened_without_its_key_is_no_session_and_no_room_for_one(
    tmp_path: Path,
) -> None:
    place, other = place_of("file", tmp_path), place_of("memory", tmp_path)
    async with (
        await open_engine(f"{place}?seal=env:WA_KEY_A") as engine,
        await AuthState.open(engine, create=True) as state,
    ):
        identity = state.creds
    before = await everything(place)

    async with await open_engine(place) as plain:
        for create in (False, True):
            with pytest.raises(SealedStoreError, match="seal=env:NAME"):
                await AuthState.open(plain, create=create)
        with pytest.raises(SealedStoreError):
            await check_openable(plain, force=True)
    await fill(other, whole_records(1, 1))
    for source, target in ((place, f"{other}-new"), (other, place)):
        for only in ((), ("contacts",)):
            with pytest.raises(SealedStoreError):
                await copy(source, target, only=only)
    with pytest.raises(UnsealedStoreError):
        await copy(f"{place}?seal=env:WA_KEY_A", f"{other}?seal=env:WA_KEY_A")

    assert await everything(place) == before
    async with (
        await open_engine(f"{place}?seal=env:WA_KEY_A") as engine,
        await AuthState.open(engine) as state,
    ):
        assert state.creds == identity


@pytest.mark.parametrize("word", ["env:WA_KEY_B", "env:WA_NO_KEY"])
async def test_a_wrong_or_lost_key_mints_no_identity(word: str, tmp_path: Path) -> None:
    place = place_of("sqlite", tmp_path)
    async with (
        await open_engine(f"{place}?seal=env:WA_KEY_A") as engine,
        await AuthState.open(engine, create=True),
    ):
        pass
    before = await everything(place)

    with pytest.raises(WaError) as caught:
        async with await open_engine(f"{place}?seal={word}") as engine:
            await AuthState.open(engine, create=True)

    assert caught.value.code in ("wrong-key", "key-unavailable")
    assert await everything(place) == before


async def test_one_place_sealed_and_unsealed_is_one_place(tmp_path: Path) -> None:
    place = place_of("file", tmp_path)
    await fill(f"{place}?seal=env:WA_KEY_A", whole_records(1, 1))

    for other in (place, f"{place}?seal=env:WA_KEY_B", f"{place}?timeout=5"):
        with pytest.raises(UsageError, match="the same store"):
            await copy(f"{place}?seal=env:WA_KEY_A", other)


async def test_a_target_that_was_not_told_asks_its_sealed_source(tmp_path: Path) -> None:
    source = f"{place_of('memory', tmp_path)}?seal=env:WA_KEY_A"
    target = f"{place_of('memory', tmp_path)}?seal=env:WA_KEY_B"
    await fill(source, whole_records(1, 1))
    await copy(source, target, keep_source=True)
    async with await open_engine(source) as engine, await open_engine(target) as arrived:
        moved = await get_move(engine)
        assert moved is not None
        # The target as it was when the tool was killed after the decision.
        verified = moved.to_bytes().replace(moved.stage.encode(), Stage.VERIFIED.encode())
        verified = verified.replace(b'"role": "source"', b'"role": "target"')
        verified = verified.replace(target.encode(), source.encode())
        await arrived.set("wa/move", verified)

        await check_openable(arrived)

        assert await get_move(arrived) is None
        with pytest.raises(SessionMovedError, match="seal=env:WA_KEY_B"):
            await check_openable(engine)


async def test_a_move_into_a_sealed_store_does_not_mix_with_what_is_there(tmp_path: Path) -> None:
    source, target = (
        place_of("memory", tmp_path),
        f"{place_of('memory', tmp_path)}?seal=env:WA_KEY_A",
    )
    await fill(source, whole_records(1, 1))
    await fill(target, {CREDS: b'{"me": 1}'})

    with pytest.raises(MoveConflictError):
        await copy(source, target)
    with pytest.raises(WrongKeyError):
        await copy(source, target.replace("WA_KEY_A", "WA_KEY_B"))

    await copy(source, target, on_conflict="overwrite")
    assert await opens(target)


def test_a_url_shows_and_keeps_the_name_of_a_key_and_never_a_key() -> None:
    named = "redis://host/0?seal=env:WA_KEY#a"

    assert str(EngineUrl.parse(named)) == named
    assert lasting_url("memory:x?seal=file:/etc/wa.key#a") == "memory:x?seal=file:/etc/wa.key#a"
    rooted = f"memory:x?seal=file:{quote(os.getcwd())}/a%20key"
    assert lasting_url("memory:x?seal=file:a+key") == rooted
    assert lasting_url(rooted) == rooted
    home = os.path.expanduser("~/wa.key")
    assert without_secrets("memory:x?key=file%3A~/wa.key") == f"memory:x?key=file:{home}"
    assert without_secrets("memory:x?seal=file:${HOME}/k") == "memory:x?seal=file:${HOME}/k"
    assert without_secrets("memory:x?key=keyring:wa/a") == "memory:x?key=keyring:wa/a"
    assert without_secrets("memory:x?seal=env:A&seal2=env:B") == "memory:x?seal=env:A"
    for pasted in ("wa-key:abcdef", "hunter2", "vault:hunter2", "env:"):
        assert str(EngineUrl.parse(f"memory:x?seal={pasted}")) == "memory:x?seal=***"
        assert without_secrets(f"memory:x?seal={pasted}") == "memory:x"
    assert without_secrets(named, variables=False) == "redis://host/0#a"
    assert str(EngineUrl.parse("memory:x?password=env:A")) == "memory:x?password=***"
