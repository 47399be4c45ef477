"""The index on the disk: it answers what the one in memory answers, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import wa_engine_file.diskindex
from wa_core.errors import EngineUnavailableError, InvalidUrlError
from wa_core.migrate.side import Side
from wa_core.storage import Batch, Engine, lasting_url, open_engine, thrifty_url
from wa_engine_file.change import Change, Record, facts_of, position_of
from wa_engine_file.contents import Contents, MemoryContents
from wa_engine_file.diskcontents import DiskContents
from wa_engine_file.engine import FileEngine, portion
from wa_engine_file.tablespace import TableSpace

HIGH = "\U0010ffff"
NAMES = (
    "chat/1",
    "chat/10",
    "chat/1/index",
    "chat/1/message/7",
    "chat/1/message/8/index",
    "chat/2/index",
    "b",
    "b/%",
    "\ud7ff",
    "\ud7ff/x",
    "\ue000",
    HIGH,
    f"{HIGH}/{HIGH}",
    "é",
    *(f"many/{number}" for number in range(12)),
)
PREFIXES = ("", "c", "chat/", "chat/1", "chat/1/", "many/", "many/1", "\ud7ff", HIGH, "absent/")


@pytest.fixture
def small_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wa_engine_file.diskindex, "VIEW_FROM", 3)
    monkeypatch.setattr(wa_engine_file.diskindex, "VIEW_UNTIL", 2)


def change_by_dice(dice: random.Random) -> Change:
    keys = dice.sample(NAMES, dice.randrange(1, 6))
    removed = keys[: dice.randrange(len(keys))]
    written = {key: dice.randbytes(dice.randrange(40)) for key in keys[len(removed) :]}
    records = {
        key: Record(value, facts_of(value, dice.randrange(8))) for key, value in written.items()
    }
    return Change(records, removed)


def answers_of(contents: Contents) -> list[object]:
    """Ask everything that is ever asked."""
    index = contents.index
    return [
        len(contents),
        len(index),
        contents.largest(),
        sorted(contents.everything()),
        contents.known((*NAMES, "absent")),
        *(
            [key in index, index.position(key), index.under(key), index.has_below(key)]
            for key in NAMES
        ),
        *(
            [
                index.count(prefix),
                list(index.keys(prefix)),
                list(index.keys(prefix, after="many/1")) if prefix in ("", "many/") else [],
                [index.page(prefix), index.page(prefix, 1, 2), index.page(prefix, 0, 1)],
                list(contents.span(prefix, after=None, limit=3).items()),
            ]
            for prefix in PREFIXES
        ),
    ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.usefixtures("small_views")
def test_both_indexes_give_the_same_answers_all_the_way(seed: int) -> None:
    dice = random.Random(seed)
    both = MemoryContents(), DiskContents()
    for contents in both:
        contents.fill("chat/1\t5\t3 a\nb\t6\t\nchat/1\t7\t4 b\ngone\t1\t1 1\ngone\t-1\t\n")
        contents.adopt({"many/0": 3})
        contents.complete()
    assert answers_of(both[1]) == answers_of(both[0])

    for _ in range(25):
        change = change_by_dice(dice)
        for contents in both:
            contents.take(change)
        assert answers_of(both[1]) == answers_of(both[0])
    both[1].close()


def test_more_keys_than_one_statement_takes_are_known() -> None:
    contents = DiskContents()
    contents.adopt({f"k/{number:05}": number for number in range(2500)})
    contents.complete()

    assert len(contents.known(f"k/{number:05}" for number in range(-5, 2500))) == 2500
    assert list(contents.index.keys("k/", after="k/00002"))[:2] == ["k/00003", "k/00004"]
    assert contents.index.page("k/", 1, 2) == ["k/02498", "k/02497"]
    assert sum(position_of(known) for _, known in contents.everything()) == 2500 * 2499 // 2
    contents.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_the_temporary_file_has_no_name_and_is_private() -> None:
    space = TableSpace("CREATE TABLE t (v)")

    space.rows(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
        "INSERT INTO t SELECT randomblob(100000) FROM n"
    )

    files = [file for file in open_files() if file.st_nlink == 0 and file.st_size > 10_000_000]
    assert [file.st_mode & 0o777 for file in files] == [0o600]
    space.close()
    assert not any(file.st_nlink == 0 and file.st_size > 10_000_000 for file in open_files())


def open_files() -> Iterator[os.stat_result]:
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own
            yield os.stat(f"/proc/self/fd/{number}")


def space_of(engine: Engine) -> TableSpace:
    assert isinstance(engine, FileEngine)
    contents = engine._store.contents
    assert isinstance(contents, DiskContents)
    return contents._space


@pytest.fixture(params=["", "&durability=process"], ids=["power", "process"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"file:{tmp_path}?index=disk{request.param}"


async def test_without_room_for_the_index_nothing_is_lost_and_nothing_is_answered(url: str) -> None:
    engine = await open_engine(url)
    space_of(engine).rows("PRAGMA max_page_count = 8")
    acknowledged: list[int] = []

    with pytest.raises(EngineUnavailableError, match="temporary files"):
        await write_until_an_error(engine, acknowledged)
    for call in (engine.count("k"), engine.get("k/0"), engine.set("k", "v"), engine.list()):
        with pytest.raises(EngineUnavailableError):
            await call
    await engine.close()

    async with await open_engine(url) as again:
        # The batch that failed was in the journal: whoever got the error may apply it again.
        assert await again.count("k/") - 10 * len(acknowledged) in (0, 10)


async def write_until_an_error(engine: Engine, acknowledged: list[int]) -> None:
    for number in range(1000):
        batch = Batch()
        for which in range(10):
            batch.put(f"k/{number}/{'long' * 50}/{which}", b"x")
        await engine.apply(batch)
        acknowledged.append(number)


async def test_a_kind_of_index_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for read_only in (False, True):
        with pytest.raises(InvalidUrlError, match="memory, disk"):
            await open_engine(f"file:{tmp_path}?index=cloud", read_only=read_only)


async def test_a_side_of_a_move_keeps_its_index_on_the_disk(tmp_path: Path) -> None:
    async with await Side(f"file:{tmp_path}").open() as engine:
        assert space_of(engine) is not None

    assert thrifty_url(f"file:{tmp_path}?index=memory").params == {"index": "memory"}
    assert lasting_url(f"file:{tmp_path}?index=disk") == lasting_url(f"file:{tmp_path}")


async def test_the_largest_value_is_known_unless_somebody_else_wrote_one(tmp_path: Path) -> None:
    for kind in ("memory", "disk"):
        url = f"file:{tmp_path / kind}?index={kind}"
        async with await open_engine(url) as engine:
            assert isinstance(engine, FileEngine)
            assert await engine.largest_value() == 0
            await engine.apply(Batch().put("a", b"12345").put("b", b"1"))
            assert await engine.largest_value() == 5
            await engine.set("a", None)
            assert await engine.largest_value() == 1
        (tmp_path / kind / "foreign").write_bytes(b"1234567")
        async with await open_engine(url) as engine:
            assert isinstance(engine, FileEngine)
            assert await engine.largest_value() is None


def test_a_scan_takes_few_large_values_at_once() -> None:
    contents = MemoryContents()
    contents.fill("".join(f"{number}\t1\t{700_000} 1\n" for number in range(9)))
    contents.complete()

    assert list(portion(contents, "", None)) == ["0", "1"]
    assert list(portion(contents, "", "7")) == ["8"]
