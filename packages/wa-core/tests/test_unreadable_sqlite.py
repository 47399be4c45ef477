"""F1 on a database in a file: cut, overwritten, emptied, beside its log or without it.

One file holds everything, so whatever is broken of it, no reader may find the session absent.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from unreadable_bench.minting import watched
from unreadable_bench.readers import MOVERS, OPENERS, begin, opens
from unreadable_bench.sample import CREDENTIALS, RECORDS
from unreadable_bench.stores import forget, stored
from wa_core.errors import WaError
from wa_core.state import AuthState
from wa_core.storage import Batch, Engine, open_engine
from wa_core.storage.layouts import CREDS

pytestmark = pytest.mark.once

SCHEMES = {
    "sqlite": "sqlite:{0}?durability=process#bot",
    "baileys-sql": "baileys-sql:sqlite:{0}?durability=process#bot",
    "baileys-rows": "baileys-rows:sqlite:{0}?durability=process#bot",
    "arcaelas-sql": "arcaelas-sql:sqlite:{0}?durability=process",
}
READERS = OPENERS | {name: MOVERS[name] for name in ("move", "dry run", "wa-migrate")}
STEP = 509
"""Between two cuts: prime, so that they fall on every part of a page."""
GARBAGE = bytes(range(256)) * 16
PAGE = len(GARBAGE)


@pytest.fixture(autouse=True)
def nobody_mints() -> Iterator[None]:
    with watched() as notes:
        yield
    assert notes == []


@pytest.fixture(params=SCHEMES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return SCHEMES[request.param].format(tmp_path / "wa.db")


@pytest.fixture
def file(tmp_path: Path, url: str) -> Path:
    """Leave a session in a database that nobody has open."""
    asyncio.run(_fill(url))
    assert [path.name for path in tmp_path.iterdir()] == ["wa.db"]
    return tmp_path / "wa.db"


async def _fill(url: str) -> None:
    async with await open_engine(url) as engine:
        await _write(engine)


async def _write(engine: Engine) -> None:
    batch = Batch()
    for key, value in RECORDS.items():
        batch.put(key, value)
    await engine.apply(batch)


def spoil(file: Path, data: bytes) -> None:
    """Put other bytes in the place of a database, and nothing beside it."""
    for path in file.parent.glob(f"{file.name}-*"):
        path.unlink(missing_ok=True)
    file.write_bytes(data)


async def outcome(url: str) -> str:
    """Open a session, or begin one, and tell what came of it."""
    try:
        await begin(url, "")
    except WaError as exc:
        return exc.code
    return "opened"


def test_a_database_cut_at_many_places_opens_for_nobody(url: str, file: Path) -> None:
    whole = file.read_bytes()

    async def cut() -> set[str]:
        found = set()
        for length in [*range(3), *range(STEP, len(whole), STEP), len(whole) - 1]:
            spoil(file, whole[:length])
            found.add(await outcome(url))
        return found

    assert asyncio.run(cut()) == {"storage"}


@pytest.mark.parametrize("length", [0, 1, 2 * PAGE + 100])
@pytest.mark.parametrize("reader", READERS)
def test_a_database_that_is_too_short_is_an_error_to_everybody(
    url: str, file: Path, reader: str, length: int
) -> None:
    spoil(file, file.read_bytes()[:length])
    target, there = stored({})

    refusal = READERS[reader](url, target)

    assert refusal is not None
    assert "restore it" in refusal.sentence
    assert file.stat().st_size == length
    assert there.values.get(CREDS) is None
    assert not opens(target)
    forget(target)


@pytest.mark.parametrize("garbage", [bytes(PAGE), GARBAGE], ids=["zeros", "noise"])
def test_a_page_that_was_overwritten_is_never_a_new_session(
    url: str, file: Path, garbage: bytes
) -> None:
    whole = file.read_bytes()

    async def overwrite() -> set[str]:
        found = set()
        for at in range(0, len(whole), PAGE):
            spoil(file, whole[:at] + garbage + whole[at + PAGE :])
            found.add(await outcome(url))
            assert CREDENTIALS[:64] in file.read_bytes() or CREDENTIALS[:64] in whole[at:][:PAGE]
        return found

    # A page of an index may be one that nobody looks at.
    found = asyncio.run(overwrite())
    assert found <= {"opened", "storage", "corrupt-record", "damaged-session", "engine-config"}
    assert found & {"storage", "corrupt-record"}


def test_an_emptied_database_keeps_the_log_that_may_hold_everything(tmp_path: Path) -> None:
    living, dead = tmp_path / "living.db", tmp_path / "wa.db"
    url = SCHEMES["sqlite"].format(dead)

    async def crash() -> None:
        async with await open_engine(SCHEMES["sqlite"].format(living)) as engine:
            await _write(engine)
            for end in ("", "-wal"):
                shutil.copy(f"{living}{end}", f"{dead}{end}")

    asyncio.run(crash())
    log = (tmp_path / "wa.db-wal").read_bytes()
    assert len(log) > len(CREDENTIALS)
    first = dead.read_bytes()
    os.truncate(dead, 0)

    assert asyncio.run(outcome(url)) == "storage"

    assert (tmp_path / "wa.db-wal").read_bytes() == log
    # Whoever gives the first page back has the session back.
    dead.write_bytes(first)
    assert asyncio.run(_creds(url)) == CREDENTIALS


async def _creds(url: str) -> bytes:
    async with await open_engine(url) as engine, await AuthState.open(engine) as state:
        return state.creds.to_bytes()


def test_a_database_of_ours_is_never_empty(url: str, tmp_path: Path) -> None:
    async def look() -> int:
        async with await open_engine(url):
            return (tmp_path / "wa.db").stat().st_size

    assert asyncio.run(look()) >= PAGE
    assert (tmp_path / "wa.db").stat().st_mode & 0o777 == 0o600
    # Nothing was written yet, and it opens again.
    assert asyncio.run(look()) >= PAGE
