"""Folders that others filled or changed: taken over, or said to be changed; never misread [Y1, G2].

And sessions: one folder is one session or holds several, never both [N1, N2].
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from wa_core.errors import CorruptRecordError, EngineConfigError, InvalidUrlError, StoreVersionError
from wa_core.storage import list_sessions, open_engine

NODE = {
    "session/creds": b'{"registrationId":7}',
    "session/pre-key/1": b"key",
    "contact/5491112345678@s.whatsapp.net/index": b"contact",
    "chat/120363@g.us/index": b"chat",
    "chat/120363@g.us/message/3EB0/index": b"message",
}


def fill_as_node_does(folder: Path) -> None:
    """Write each file a millisecond after the one before, as a client that knows nothing of us."""
    for number, (key, value) in enumerate(NODE.items()):
        path = folder / key.replace("@", "_at_")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)
        at = (1_700_000_000_000 + number) * 1_000_000
        os.utime(path, ns=(at, at))


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_folder_that_a_node_client_wrote_opens_as_it_is(
    tmp_path: Path, read_only: bool
) -> None:
    fill_as_node_does(tmp_path)

    async with await open_engine(f"file:{tmp_path}", read_only=read_only) as engine:
        entries = {entry.key: entry async for entry in engine.scan()}
        newest_first = await engine.list()

    assert {key: entry.value for key, entry in entries.items()} == NODE
    assert newest_first == list(reversed(NODE))
    assert entries["session/creds"].at == 1_700_000_000_000_000
    assert (tmp_path / ".wa").exists() is not read_only


async def test_an_adopted_record_is_checked_once_we_have_written_it(tmp_path: Path) -> None:
    fill_as_node_does(tmp_path)
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("session/creds", b"ours")
    (tmp_path / "session/creds").write_bytes(b"theirs")
    (tmp_path / "session/pre-key/1").write_bytes(b"never written by us")

    async with await open_engine(f"file:{tmp_path}") as engine:
        with pytest.raises(CorruptRecordError, match="adopt=1"):
            await engine.get("session/creds")
        assert await engine.get("session/pre-key/1") == b"never written by us"
    async with await open_engine(f"file:{tmp_path}?adopt=1") as engine:
        assert await engine.get("session/creds") == b"theirs"
    async with await open_engine(f"file:{tmp_path}") as engine:
        assert await engine.get("session/creds") == b"theirs"


@pytest.mark.parametrize("content", [b"", b"cre", b"credx", b"creds and more"])
async def test_credentials_that_somebody_changed_are_damaged_and_not_absent(
    tmp_path: Path, content: bytes
) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("session/creds", b"creds")
        (tmp_path / "session/creds").write_bytes(content)
        with pytest.raises(CorruptRecordError):
            await engine.get("session/creds")

    for read_only in (False, True):
        async with await open_engine(f"file:{tmp_path}", read_only=read_only) as engine:
            assert await engine.list() == ["session/creds"]
            with pytest.raises(CorruptRecordError):
                await engine.get("session/creds")
            with pytest.raises(CorruptRecordError):
                [entry async for entry in engine.scan()]


async def test_a_lost_file_is_damage_until_it_is_written_again(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("session/creds", b"creds")
    (tmp_path / "session/creds").unlink()

    async with await open_engine(f"file:{tmp_path}") as engine:
        with pytest.raises(CorruptRecordError, match="gone"):
            await engine.get("session/creds")
        await engine.set("session/creds", b"new")
        assert await engine.get("session/creds") == b"new"


async def test_a_lost_folder_loses_no_key_in_silence(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("chat/1/index", b"1")
        await engine.set("chat/2/index", b"2")
    (tmp_path / "chat/1/index").unlink()
    (tmp_path / "chat/1").rmdir()

    async with await open_engine(f"file:{tmp_path}") as engine:
        assert await engine.count() == 2
        with pytest.raises(CorruptRecordError):
            await engine.get("chat/1/index")
        await engine.set("chat", None)
        assert await engine.count() == 0


async def test_files_that_are_no_keys_are_left_alone_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill_as_node_does(tmp_path)
    strange = [tmp_path / "a@b", tmp_path / "100%", tmp_path / "session" / "%zz"]
    for path in strange:
        path.write_bytes(b"not ours")

    with caplog.at_level(logging.WARNING):
        async with await open_engine(f"file:{tmp_path}") as engine:
            assert set(await engine.list()) == set(NODE)
            await engine.clear()

    assert [path.read_bytes() for path in strange] == [b"not ours"] * 3
    said = [record.message for record in caplog.records if "left alone" in record.message]
    assert len(said) == 1
    assert "3 files" in said[0]


async def test_a_damaged_manifest_is_said_and_can_be_given_up(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("session/creds", b"creds")
        lease = await engine.acquire("one", 60)
    manifest = tmp_path / ".wa" / "manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b"plain", b"plaim"))

    with pytest.raises(CorruptRecordError, match="manifest"):
        await open_engine(f"file:{tmp_path}")

    async with await open_engine(f"file:{tmp_path}?adopt=1") as engine:
        assert await engine.get("session/creds") == b"creds"
        assert (await engine.acquire("two", 60)).epoch > lease.epoch


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_store_of_a_newer_version_is_not_touched(tmp_path: Path, read_only: bool) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("k", b"v")
    manifest = tmp_path / ".wa" / "manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b"wa-file 1 ", b"wa-file 2 ", 1))
    before = manifest.read_bytes()

    with pytest.raises(StoreVersionError):
        await open_engine(f"file:{tmp_path}", read_only=read_only)
    with pytest.raises(StoreVersionError):
        await open_engine(f"file:{tmp_path}?adopt=1", read_only=read_only)

    assert manifest.read_bytes() == before


@pytest.mark.parametrize("query", ["", "?spelling=safe"])
async def test_sessions_in_one_place_never_meet(tmp_path: Path, query: str) -> None:
    names = ["a", "A", "a.b", "..", ".", "é", "e\u0301", "x" * 250, ".wa", "%41", "a b", "_at_@"]
    for name in names:
        async with await open_engine(url_of(tmp_path, query, name)) as engine:
            await engine.set("session/creds", name)

    assert sorted(await list_sessions(f"file:{tmp_path}")) == sorted(names)
    async with await open_engine(url_of(tmp_path, query, "a")) as engine:
        await engine.clear()
    for name in names[1:]:
        async with await open_engine(url_of(tmp_path, query, name)) as engine:
            assert await engine.list() == ["session/creds"]
            assert await engine.get("session/creds") == name.encode()


def url_of(place: Path, query: str, name: str) -> str:
    encoded = "".join(f"%{byte:02x}" for byte in name.encode())
    return f"file:{place}{query}#{encoded}"


async def test_a_place_is_one_session_or_holds_several(tmp_path: Path) -> None:
    single, several = tmp_path / "single", tmp_path / "several"
    async with await open_engine(f"file:{single}") as engine:
        await engine.set("k", b"v")
    async with await open_engine(f"file:{several}#bot") as engine:
        await engine.set("k", b"v")

    with pytest.raises(EngineConfigError, match="itself a session"):
        await open_engine(f"file:{single}#bot")
    with pytest.raises(EngineConfigError, match="bot"):
        await open_engine(f"file:{several}")

    assert await list_sessions(f"file:{single}") == [""]
    assert await list_sessions(f"file:{several}") == ["bot"]


async def test_a_store_keeps_the_spelling_it_began_with(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}?spelling=safe") as engine:
        await engine.set("Key", b"v")
    assert not (tmp_path / "Key").exists()

    with pytest.raises(EngineConfigError, match="safe"):
        await open_engine(f"file:{tmp_path}?spelling=plain")
    async with await open_engine(f"file:{tmp_path}") as engine:
        assert await engine.list() == ["Key"]
        await engine.set("KEY", b"w")
    with pytest.raises(InvalidUrlError, match="spelling"):
        await open_engine(f"file:{tmp_path}?spelling=other")
