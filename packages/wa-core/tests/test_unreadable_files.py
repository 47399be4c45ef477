"""F1 on real files: our own folder, which has checksums, and two of others, which have none.

Half of a JSON text is never one itself, so what a crash or a full disk has left of a record is
damage at every length; Baileys takes it for absent, and begins anew.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from unreadable_bench.minting import watched
from unreadable_bench.readers import MOVERS, OPENERS, Reader, alone, begin, opens
from unreadable_bench.sample import CREDENTIALS, RECORDS
from unreadable_bench.stores import forget, stored
from wa_core.errors import CorruptRecordError
from wa_core.state import AuthState
from wa_core.storage import Batch, open_engine
from wa_core.storage.layouts import CREDS, json_flaw, key_of

pytestmark = pytest.mark.once

IN_MEMORY = "/dev/shm"
KINDS = {
    "file": ("file:{0}#bot?durability=process", "bot/session/creds"),
    "baileys": ("baileys:{0}?durability=process", "creds.json"),
    "arcaelas-file": ("arcaelas-file:{0}?durability=process", "session/creds"),
    "arcaelas-file 8": (
        "arcaelas-file:{0}?durability=process&version=8",
        "session/creds/index.json",
    ),
}
"""The URL of a session in a folder, and where its credentials lie."""
READERS = OPENERS | {name: MOVERS[name] for name in ("move", "dry run", "wa-migrate")}


@pytest.fixture(autouse=True)
def nobody_mints() -> Iterator[None]:
    with watched() as notes:
        yield
    assert notes == []


@pytest.fixture
def quick_path() -> Iterator[Path]:
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wa-core-", dir=place) as folder:
        yield Path(folder)


class Folder:
    """A session in a folder, which a test may damage."""

    def __init__(self, kind: str, folder: Path) -> None:
        url, creds = KINDS[kind]
        place, mark, rest = url.format(folder).partition("#bot")
        self.url = f"{place}{rest}{mark}"
        self.creds = folder / creds
        asyncio.run(_fill(self.url))
        assert self.creds.read_bytes() == CREDENTIALS

    def refusal(self, reader: Reader) -> str:
        """Let somebody read, see that nothing came of it but an error, and return its code."""
        target, there = stored({})
        found = reader(self.url, target)
        assert found is not None
        assert there.values.get(CREDS) is None
        assert not opens(target)
        forget(target)
        return found.code


async def _fill(url: str) -> None:
    batch = Batch()
    for key, value in RECORDS.items():
        batch.put(key, value)
    async with await open_engine(url) as engine:
        await engine.apply(batch)


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest, quick_path: Path) -> Folder:
    return Folder(request.param, quick_path)


def test_what_a_file_has_left_of_a_json_text_is_none_at_any_length() -> None:
    for value in RECORDS.values():
        assert json_flaw(value) is None
        assert all(json_flaw(value[:length]) for length in range(len(value)))


def test_credentials_cut_at_any_place_are_damage(session: Folder) -> None:
    async def cut_everywhere() -> None:
        async with await open_engine(session.url) as engine:
            for length in reversed(range(len(CREDENTIALS))):
                os.truncate(session.creds, length)
                with pytest.raises(CorruptRecordError):
                    await AuthState.open(engine, create=True)
                assert session.creds.stat().st_size == length

    asyncio.run(cut_everywhere())


@pytest.mark.parametrize("length", [0, len(CREDENTIALS) - 1])
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_is_too_short_is_damage_to_everybody(
    session: Folder, reader: str, length: int
) -> None:
    os.truncate(session.creds, length)

    assert session.refusal(READERS[reader]) == "corrupt-record"

    assert session.creds.read_bytes() == CREDENTIALS[:length]


@pytest.mark.parametrize("kind", ["session", "pre-key", "app-state-sync-key"])
def test_a_key_cut_at_any_place_is_damage(session: Folder, kind: str) -> None:
    key = key_of(kind, "AAAA")
    [file] = [
        path
        for path in session.creds.parents[0 if "baileys" in session.url else 1].rglob("*")
        if path.is_file() and path.read_bytes() == RECORDS[key]
    ]

    async def cut_everywhere() -> None:
        async with await open_engine(session.url) as engine, await AuthState.open(engine) as state:
            for length in reversed(range(len(RECORDS[key]))):
                os.truncate(file, length)
                with pytest.raises(CorruptRecordError):
                    await state.keys.get(kind, ["AAAA"])

    asyncio.run(cut_everywhere())
    assert session.refusal(MOVERS["move"]) == "corrupt-record"


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
@pytest.mark.parametrize("reader", READERS)
def test_a_file_that_the_system_does_not_give_is_no_absence(
    session: Folder, reader: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, place = os.open, os.path.realpath(session.creds)

    def opening(path: str, *how: int, **more: int) -> int:
        if path == place:
            raise OSError(number, os.strerror(number))
        return real(path, *how, **more)

    monkeypatch.setattr(os, "open", opening)

    assert session.refusal(READERS[reader]) == "engine-unavailable"

    monkeypatch.undo()
    assert opens(session.url)


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_that_cannot_be_listed_is_not_empty(
    session: Folder, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.creds.unlink()

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "scandir", refuse)

    assert session.refusal(READERS[reader]) in ("engine-unavailable", "corrupt-record")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda file: None,
    "a folder": os.mkdir,
    "a folder with something in it": lambda file: os.makedirs(file / "x"),
    "a circle": lambda file: os.symlink(file, file),
    "a link to nothing": lambda file: os.symlink("nowhere", file),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("reader", OPENERS)
def test_what_lies_in_the_place_of_credentials_begins_nothing(
    session: Folder, reader: str, damage: str
) -> None:
    session.creds.unlink()
    DAMAGES[damage](session.creds)

    session.refusal(READERS[reader])


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"gone"}))
@pytest.mark.parametrize("kind", KINDS)
def test_credentials_alone_that_are_no_file_begin_nothing(
    kind: str, damage: str, quick_path: Path
) -> None:
    session = Folder(kind, quick_path)
    for path in quick_path.rglob("*"):
        if path.is_file() and path != session.creds and "/.wa" not in str(path):
            path.unlink()
    session.creds.unlink()
    DAMAGES[damage](session.creds)

    session.refusal(alone(begin))
