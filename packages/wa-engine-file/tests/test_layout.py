"""The folder as others see it: paths, bytes, times, modes, and nothing beside it [Y1, K3, C3]."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_bench.driver import strays
from wa_core.errors import EngineConfigError, EngineUnavailableError, StorageError
from wa_core.storage import Batch, lasting_url, open_engine
from wa_engine_file.keys import Spelling

HOSTILE = (
    *("..a", "a..", "...", "*", "?", "[a-z]", "a\\..\\b", "$HOME", "~", "~root", "-rf", "`id`"),
    *("CON", "nul.txt", "a:b", 'a"b', "a'b", "a|b", " ", " lead", "trail ", "%", "%%", "%2e%2e"),
    *("%2f", "_at_", "@", ".wa", ".wa/lock", ".wa/journal.0", ".WA", "é", "e\u0301", "😀"),
    *("a/%", "a/%/b", "x" * 255, "x" * 256, "é" * 256, "a/..b/..c", "new", "manifest", "\u202e"),
)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def test_ordinary_keys_lie_where_node_users_look_for_them(tmp_path: Path) -> None:
    records = {
        "session/creds": (b'{"noiseKey":1}', 1_700_000_000_000_001),
        "contact/5491112345678@s.whatsapp.net/index": (b"contact", 1_700_000_000_123_456),
        "chat/120363@g.us/message/3EB0/content": (bytes(range(256)), 7),
        "session/empty": (b"", 0),
    }
    async with await open_engine(f"file:{tmp_path}") as engine:
        for key, (value, at) in records.items():
            await engine.set(key, value, at=at)

    for key, (value, at) in records.items():
        path = tmp_path / key.replace("@", "_at_")
        assert path.read_bytes() == value
        assert path.stat().st_mtime_ns // 1000 == at


@pytest.mark.parametrize("level", ["power", "process"])
async def test_a_value_makes_room_for_keys_below_it_and_comes_back(
    tmp_path: Path, level: str
) -> None:
    async with await open_engine(f"file:{tmp_path}?durability={level}") as engine:
        await engine.set("chat/1", "value", at=5)
        assert (tmp_path / "chat/1").read_bytes() == b"value"

        await engine.set("chat/1/index", "below")
        assert (tmp_path / "chat/1/%").read_bytes() == b"value"
        assert (tmp_path / "chat/1/%").stat().st_mtime_ns == 5000

        await engine.set("chat/1/index", None)
        assert (tmp_path / "chat/1").read_bytes() == b"value"
        assert (tmp_path / "chat/1").stat().st_mtime_ns == 5000
        await engine.set("chat/2/index", "below")
        await engine.set("chat/2", "value")
        assert (tmp_path / "chat/2/%").read_bytes() == b"value"

        await engine.apply(Batch().delete("chat/2").put("chat/2", "again"))
        assert (tmp_path / "chat/2").read_bytes() == b"again"
        assert await engine.get_many(["chat/1", "chat/2"]) == {
            "chat/1": b"value",
            "chat/2": b"again",
        }


@pytest.mark.parametrize("spelling", list(Spelling))
async def test_what_was_deleted_leaves_nothing_behind(tmp_path: Path, spelling: Spelling) -> None:
    dice = random.Random(4)
    keys = ["a", "a/b", "a/b/c", "x" * 300, "x" * 300 + "/y", "é" * 150 + "/z", "@/_at_", *HOSTILE]
    async with await open_engine(f"file:{tmp_path}?spelling={spelling}") as engine:
        for _ in range(5):
            dice.shuffle(keys)
            for key in keys:
                await engine.set(key, key)
            for key in sorted(keys, key=lambda _: dice.random())[:20]:
                await engine.set(key, None)
            state = {key: (b"", 0) for key in await engine.list(limit=None)}
            assert strays(str(tmp_path), state, spelling) == []
        await engine.clear()

        assert strays(str(tmp_path), {}) == []


async def test_nothing_beside_the_folder_is_touched_whatever_the_keys_hold(tmp_path: Path) -> None:
    (tmp_path / "neighbour").mkdir()
    (tmp_path / "neighbour" / "creds").write_bytes(b"not yours")
    base = tmp_path / "place" / "session"
    async with await open_engine(f"file:{base}") as engine:
        for key in HOSTILE:
            await engine.set(key, "mine")
        assert set(await engine.list(limit=None)) == set(HOSTILE)
        assert await engine.get_many(HOSTILE) == dict.fromkeys(HOSTILE, b"mine")
        for key in HOSTILE:
            await engine.set(key, None)
    assert strays(str(base), {}) == []
    async with await open_engine(f"file:{base}") as engine:
        await engine.clear()

    assert [path for path in listing(tmp_path) if not path.startswith("place/session/")] == [
        "neighbour",
        "neighbour/creds",
        "place",
        "place/session",
    ]
    assert (tmp_path / "neighbour" / "creds").read_bytes() == b"not yours"


async def test_folders_are_0700_and_files_0600_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    base = tmp_path / "place" / "session"
    modes: dict[str, int] = {}
    async with await open_engine(f"file:{base}") as engine:
        await engine.set("session/creds", "1")
        await engine.set("chat/1", "value")
        await engine.set("chat/1/index", "moves it")
        await engine.set("session/creds", "2")
        await engine.set("n" * 300, "in pieces")
        modes |= {str(path): path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}
    modes |= {str(path): path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}

    assert len(modes) > 10
    for path, mode in modes.items():
        assert mode == (0o700 if os.path.isdir(path) else 0o600), path


@pytest.mark.parametrize("umask", [0o000], indirect=True)
async def test_a_folder_that_others_could_read_becomes_private(tmp_path: Path, umask: int) -> None:
    base = tmp_path / "shared"
    base.mkdir(0o755)

    async with await open_engine(f"file:{base}"):
        assert base.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("planted", ["session/creds", "session", ".wa", "chat/1/index"])
async def test_a_symlink_in_the_store_is_refused(tmp_path: Path, planted: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"secret")
    link = tmp_path / "store" / planted
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "file" if planted.endswith(("creds", "index")) else outside)
    before = listing(outside)

    with pytest.raises(EngineConfigError, match="symlink"):
        await open_engine(f"file:{tmp_path / 'store'}")

    assert listing(outside) == before
    assert (outside / "file").read_bytes() == b"secret"


@pytest.mark.parametrize("name", ["lock", "manifest", "journal.0", "journal.1"])
async def test_a_symlink_among_our_own_files_is_not_followed(tmp_path: Path, name: str) -> None:
    target, base = tmp_path / "target", tmp_path / "store"
    await leave_link(base, name, target)

    with pytest.raises(EngineUnavailableError, match="symlink"):
        await open_engine(f"file:{base}")

    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["new", "manifest.new"])
async def test_a_symlink_in_the_place_of_a_temporary_file_is_removed(
    tmp_path: Path, name: str
) -> None:
    target, base = tmp_path / "target", tmp_path / "store"
    await leave_link(base, name, target)

    async with await open_engine(f"file:{base}") as engine:
        await engine.set("k", "w")
        assert await engine.get("k") == b"w"

    assert target.read_bytes() == b"precious"
    assert not (base / ".wa" / name).is_symlink()


async def leave_link(base: Path, name: str, target: Path) -> None:
    target.write_bytes(b"precious")
    async with await open_engine(f"file:{base}") as engine:
        await engine.set("k", "v")
    (base / ".wa" / name).unlink(missing_ok=True)
    (base / ".wa" / name).symlink_to(target)


async def test_a_symlink_planted_later_is_replaced_and_never_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    base = tmp_path / "store"
    async with await open_engine(f"file:{base}") as engine:
        await engine.set("a/old", "1")
        (base / "a" / "old").unlink()
        (base / "a" / "old").symlink_to(target)
        (base / "a" / "new").symlink_to(target)

        with pytest.raises(StorageError):
            await engine.get("a/old")
        await engine.apply(Batch().put("a/old", "2").put("a/new", "2"))

        assert await engine.get_many(["a/old", "a/new"]) == {"a/old": b"2", "a/new": b"2"}
        await engine.set("a", None)

    assert target.read_bytes() == b"precious"
    assert strays(str(base), {}) == []


async def test_a_lasting_url_names_the_same_folder_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with await open_engine("file:a%20b@c#x") as engine:
        await engine.set("k", b"1")

    url = lasting_url("file:a%20b@c#x")
    monkeypatch.chdir("/")

    async with await open_engine(url, read_only=True) as engine:
        assert await engine.get("k") == b"1"
