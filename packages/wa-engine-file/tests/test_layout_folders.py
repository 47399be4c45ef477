"""Folders of other libraries as engines: what they hold, what they refuse, what they keep."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from wa_conformance.baileys.samples import OTHERS, RECORDS, batch_of
from wa_core.errors import (
    CorruptRecordError,
    EngineBusyError,
    EngineConfigError,
    EngineUnavailableError,
    ReadOnlyError,
    UnsupportedError,
)
from wa_core.storage import Batch, Engine, open_engine
from wa_core.storage.layouts import CREDS, dumps, key_of
from wa_engine_file.layouts.engine import FolderEngine
from wa_engine_file.layouts.folder import Folder

AT = 1_700_000_000_123_456
VALUE = RECORDS[key_of("pre-key", "12")]
LAYOUTS = ["baileys:{}", "arcaelas-file:{}", "arcaelas-file:{}?version=8"]


def url_of(layout: str, place: Path) -> str:
    return layout.format(place)


def folder_of(engine: Engine) -> Folder:
    assert isinstance(engine, FolderEngine)
    return engine.folder


def file_of(engine: Engine, key: str) -> Path:
    folder = folder_of(engine)
    return Path(f"{folder.base}/{folder.layout.path(key)}")


def held_by(engine: Any, keys: Mapping[str, bytes]) -> dict[str, bytes]:
    return {key: value for key, value in keys.items() if engine.holds(key)}


async def contents(engine: Engine) -> dict[str, bytes]:
    return {entry.key: entry.value async for entry in engine.scan()}


@pytest.fixture(params=LAYOUTS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return url_of(request.param, tmp_path / "auth")


async def test_records_of_every_kind_come_back_from_a_fresh_opening(url: str) -> None:
    async with await open_engine(url) as engine:
        written = held_by(engine, RECORDS)
        assert written == RECORDS
        batch = Batch()
        for number, (key, value) in enumerate(written.items()):
            batch.put(key, value, at=AT + number)
        await engine.apply(batch)

    async with await open_engine(url, read_only=True) as reader:
        assert await contents(reader) == written
        assert await reader.get_many(RECORDS) == written
        assert await reader.list(limit=None) == list(reversed(written))
        assert await reader.count("session/") == len(written) - 1
        assert {entry.at async for entry in reader.scan(CREDS)} == {AT}


async def test_what_has_no_place_is_refused_before_anything_is_written(url: str) -> None:
    async with await open_engine(url) as engine:
        refused = [
            batch
            for batch in (
                Batch().put(CREDS, VALUE).put("chat/a_at_b/index", b"x"),
                Batch().put(CREDS, VALUE).put(key_of("pre-key", "1"), b'{"torn": '),
                Batch().put(CREDS, VALUE).put(key_of("session", "5.0"), b""),
                Batch().put(CREDS, VALUE).put("session/" + "x" * 300, VALUE),
                Batch().put(CREDS, VALUE).put(".hidden/key", VALUE),
            )
            if not (url.endswith("8") and "a_at_b" in [*batch][1].key)
        ]

        for batch in refused:
            with pytest.raises(UnsupportedError):
                await engine.apply(batch)

        assert await engine.count() == 0
        assert os.listdir(folder_of(engine).base) == [".wa-layout"]


async def test_baileys_has_no_place_for_contacts_and_chats(tmp_path: Path) -> None:
    async with await open_engine(f"baileys:{tmp_path}") as engine:
        assert not held_by(engine, OTHERS)
        with pytest.raises(UnsupportedError, match="layout baileys"):
            await engine.set("contact/5491@s.whatsapp.net/index", b"{}")
        assert await engine.get("contact/5491@s.whatsapp.net/index") is None


@pytest.mark.parametrize("layout", LAYOUTS[1:])
async def test_arcaelas_keeps_contacts_chats_and_messages(layout: str, tmp_path: Path) -> None:
    url = url_of(layout, tmp_path)
    async with await open_engine(url) as engine:
        assert held_by(engine, OTHERS) == OTHERS
        await engine.apply(batch_of({CREDS: RECORDS[CREDS], **OTHERS}))
        await engine.set("chat/123-456@g.us/message/ID1", None)

    async with await open_engine(url) as engine:
        assert await engine.list("chat/123-456@g.us/message/") == []
        assert await engine.list("lid/") == ["lid/55@lid"]
        assert await engine.count("chat/") == 2
        await engine.set("chat", None)
        assert not (tmp_path / "chat").exists()
        assert await engine.count() == 3


async def test_the_three_method_folder_is_spelt_as_the_library_does(tmp_path: Path) -> None:
    async with await open_engine(f"arcaelas-file:{tmp_path}") as engine:
        await engine.apply(batch_of(OTHERS))
        await engine.set(key_of("app-state-sync-key", "AB/DAAA="), VALUE, at=AT)
        await engine.set(key_of("app-state-sync-key", "/ABDAAA="), VALUE)

    place = tmp_path / "contact" / "5491_at_s.whatsapp.net" / "index"
    assert place.read_bytes() == OTHERS["contact/5491@s.whatsapp.net/index"]
    nested = tmp_path / "session" / "app-state-sync-key" / "AB" / "DAAA="
    assert nested.stat().st_mtime_ns // 1000 == AT
    assert (tmp_path / "session" / "app-state-sync-key" / "ABDAAA=").exists()


async def test_what_the_three_method_library_wrote_is_read(tmp_path: Path) -> None:
    files = {
        "session/creds": b'{"registrationId":1}',
        "session/sender-key/123-456_at_g.us::55_1::0": b'{"type":"Buffer","data":"W10="}',
        "session/app-state-sync-key/ABCD/AA=": b'{"keyData":"QQ=="}',
        "session/app-state-sync-key/BCDAAA=": b'{"keyData":"Qg=="}',
        "session/lid-mapping/55_reverse": b'"1"',
        "contact/5491_at_s.whatsapp.net/index": b"{}",
        "lid/55_at_lid": b"5491@s.whatsapp.net",
    }
    for number, (name, value) in enumerate(files.items()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)
        os.utime(path, ns=((AT + number) * 1000, (AT + number) * 1000))

    async with await open_engine(f"arcaelas-file:{tmp_path}", read_only=True) as engine:
        assert [*reversed(await engine.list())] == [
            CREDS,
            key_of("sender-key", "123-456@g.us::55_1::0"),
            key_of("app-state-sync-key", "ABCD/AA="),
            key_of("app-state-sync-key", "/BCDAAA="),
            key_of("lid-mapping", "55_reverse"),
            "contact/5491@s.whatsapp.net/index",
            "lid/55@lid",
        ]
        assert len(await contents(engine)) == len(files)
        assert await engine.get(key_of("app-state-sync-key", "/BCDAAA=")) == b'{"keyData":"Qg=="}'


async def test_what_the_library_of_folders_wrote_is_read(tmp_path: Path) -> None:
    files = {
        "session/creds/index.json": b'{"registrationId":1}',
        "chat/1@g.us/index.json": b'{"id":"1@g.us"}',
        "chat/1@g.us/message/ID/index.json": b"{}",
        "chat/1@g.us/message/ID/content/content.bin": b"\x00\xffpicture",
        "chat/.order": b"1700000000000\t1@g.us",
    }
    for name, value in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)

    async with await open_engine(f"arcaelas-file:{tmp_path}") as engine:
        found = await contents(engine)
        await engine.set("chat/2@g.us", b"{}", at=AT)

    assert found == {
        CREDS: b'{"registrationId":1}',
        "chat/1@g.us": b'{"id":"1@g.us"}',
        "chat/1@g.us/message/ID": b"{}",
        "chat/1@g.us/message/ID/content/content.bin": b"\x00\xffpicture",
    }
    assert not (tmp_path / "chat" / ".order").exists(), "the library makes its index anew"
    assert (tmp_path / "chat" / "2@g.us" / "index.json").stat().st_mtime_ns // 1000 == AT


@pytest.mark.parametrize(
    ("creds", "lost"),
    [
        ("session/creds", "session/app-state-sync-key/A/DAAA="),
        ("session/creds", "contact/a@b/index"),
        # Version 8 drops a slash at either end: here nobody knows which.
        ("session/creds/index.json", "session/app-state-sync-key/ADAAAA=/index.json"),
    ],
)
async def test_a_path_that_may_be_two_keys_is_refused_and_named(
    creds: str, lost: str, tmp_path: Path
) -> None:
    for name in (creds, lost):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")

    async with await open_engine(f"arcaelas-file:{tmp_path}", read_only=True) as engine:
        assert await engine.get(CREDS) == b"{}"
        with pytest.raises(EngineConfigError, match=lost.removesuffix("/index.json")):
            await engine.list()


async def test_a_value_and_keys_below_it_are_refused_by_the_three_method_folder(
    tmp_path: Path,
) -> None:
    async with await open_engine(f"arcaelas-file:{tmp_path}") as engine:
        await engine.set("chat/1/index", b"{}")
        for batch in (
            Batch().put("lid/1", b"x").put("chat/1", b"above"),
            Batch().put("lid/1", b"x").put("chat/1/index/below", b"below"),
            Batch().put("chat/2", b"x").put("chat/2/index", b"y"),
        ):
            with pytest.raises(UnsupportedError, match="below it"):
                await engine.apply(batch)
        assert await engine.list() == ["chat/1/index"]

        await engine.apply(Batch().delete("chat/1").put("chat/1", b"a value of its own"))

        assert await engine.list() == ["chat/1"]


async def test_a_cascade_removes_what_lies_below_and_nothing_else(url: str) -> None:
    async with await open_engine(url) as engine:
        await engine.apply(batch_of(held_by(engine, RECORDS)))
        await engine.apply(
            Batch()
            .put(key_of("pre-key", "13"), VALUE)
            .delete("session/pre-key")
            .put(key_of("pre-key", "14"), VALUE)
        )

        assert await engine.list("session/pre-key/") == [key_of("pre-key", "14")]
        before = await engine.count()
        await engine.set(key_of("sender-key", "123-456@g.us::55_1::0"), None)
        await engine.set(key_of("sender-key", "none"), None)
        assert await engine.count() == before - 1
        await engine.clear()
        assert await engine.list() == []


@pytest.mark.parametrize("damage", [b"", b'{"half": ', b"\xff\xfe{}", b"[1,2"])
async def test_a_damaged_file_is_never_absent(url: str, damage: bytes) -> None:
    async with await open_engine(url) as engine:
        await engine.set(CREDS, RECORDS[CREDS])
        file_of(engine, CREDS).write_bytes(damage)

    async with await open_engine(url, read_only=True) as engine:
        with pytest.raises(CorruptRecordError):
            await engine.get(CREDS)
        with pytest.raises(CorruptRecordError):
            await contents(engine)
        assert await engine.list() == [CREDS]


async def test_credentials_cut_anywhere_are_damaged_not_absent(url: str) -> None:
    async with await open_engine(url) as engine:
        await engine.set(CREDS, RECORDS[CREDS])
        file = file_of(engine, CREDS)
        for size in range(len(RECORDS[CREDS])):
            file.write_bytes(RECORDS[CREDS][:size])
            with pytest.raises(CorruptRecordError):
                await engine.get(CREDS)


async def test_a_file_behind_a_symlink_is_refused(url: str, tmp_path: Path) -> None:
    async with await open_engine(url) as engine:
        await engine.set(CREDS, RECORDS[CREDS])
        file = file_of(engine, CREDS)
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")

        with pytest.raises(EngineUnavailableError, match="symlink"):
            await engine.get(CREDS)


async def test_positions_grow_and_a_rewrite_moves_to_the_front(url: str) -> None:
    keys = [key_of("pre-key", str(number)) for number in range(5)]
    async with await open_engine(url) as engine:
        for key in keys:
            await engine.set(key, VALUE)
        await engine.set(keys[1], VALUE)

        assert await engine.list() == [keys[1], keys[4], keys[3], keys[2], keys[0]]
        assert await engine.list("session/pre-key/", 1, 2) == [keys[4], keys[3]]
        assert await engine.list(limit=0) == []
        await engine.set(keys[0], VALUE, at=1)
        await engine.set(keys[2], VALUE, at=1)
        assert (await engine.list())[-2:] == [keys[0], keys[2]]


async def test_what_the_other_library_writes_is_seen_at_once(tmp_path: Path) -> None:
    async with await open_engine(f"baileys:{tmp_path}") as engine:
        await engine.set(CREDS, RECORDS[CREDS])

        (tmp_path / "pre-key-7.json").write_bytes(VALUE)
        (tmp_path / "creds.json").unlink()

        assert await engine.list() == [key_of("pre-key", "7")]
        assert await engine.get(CREDS) is None


async def test_files_are_private_and_nothing_of_ours_lies_among_them(tmp_path: Path) -> None:
    place = tmp_path / "auth"
    async with await open_engine(f"baileys:{place}") as engine:
        await engine.apply(batch_of(RECORDS))
        assert {file.stat().st_mode & 0o777 for file in place.glob("*.json")} == {0o600}

    assert place.stat().st_mode & 0o777 == 0o700
    assert {name for name in os.listdir(place) if not name.endswith(".json")} == {".wa-layout"}
    assert os.listdir(place / ".wa-layout") == ["lock"]
    assert len(list(place.glob("*.json"))) == len(RECORDS)


async def test_a_second_writer_of_ours_is_refused_and_a_reader_is_not(url: str) -> None:
    async with await open_engine(url) as engine:
        await engine.set(CREDS, RECORDS[CREDS])

        with pytest.raises(EngineBusyError, match=f"pid {os.getpid()}"):
            await open_engine(url)
        async with await open_engine(url, read_only=True) as reader:
            assert await reader.get(CREDS) == RECORDS[CREDS]
            with pytest.raises(ReadOnlyError):
                await reader.set(CREDS, None)

    async with await open_engine(url) as engine:
        assert await engine.get(CREDS) == RECORDS[CREDS]


async def test_a_lease_is_refused_for_the_other_library_takes_none(url: str) -> None:
    async with await open_engine(url) as engine:
        assert not {"L1", "W1", "K1", "O6"} & engine.capabilities.claims
        assert {"O1", "O2", "W4", "S1", "C1"} <= engine.capabilities.claims
        with pytest.raises(UnsupportedError, match="leases"):
            await engine.acquire("me", 10)


async def test_many_tasks_may_share_one_engine(url: str) -> None:
    async with await open_engine(url) as engine:
        keys = [key_of("pre-key", str(number)) for number in range(30)]
        await asyncio.gather(*(engine.set(key, VALUE) for key in keys))
        await asyncio.gather(*(engine.set(keys[0], dumps({"n": n})) for n in range(30)))

        assert await engine.count() == 30
        assert json.loads(await engine.get(keys[0]) or b"") == {"n": 29}
