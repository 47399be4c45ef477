"""The harness at tiny sizes: every item runs, and the arithmetic of the ratios is right."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from wa_core.storage import open_engine

from benchmarks.__main__ import main
from benchmarks.floors.files import TemporaryThenRename, walk
from benchmarks.item import Item, Pair, Result, Sense, measure
from benchmarks.place import QUICK, Place, all_keys
from benchmarks.storage import ITEMS


@pytest.mark.once
def test_every_item_runs_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()

    words = ["storage", "--engine", "file", "--quick", "--json"]
    code = main([*words, "--dir", str(disk), "--out", str(out)])

    printed = json.loads(capsys.readouterr().out)
    items = printed["engines"]["file"]["items"]
    assert code == 0
    assert [line["name"] for line in items] == [item.name for item in ITEMS]
    assert all(line["ratio"] > 0 for line in items)
    assert json.loads((out / "storage.json").read_text()) == printed
    page = (out / "storage.md").read_text()
    assert all(item.title in page for item in ITEMS)
    assert str(tmp_path) not in page + json.dumps(printed)
    assert list(disk.iterdir()) == []


def test_one_item_can_be_chosen_and_writes_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["storage", "--engine", "file", "--quick", "--only", "page", "--json"]
    main([*words, "--dir", str(tmp_path)])

    printed = json.loads(capsys.readouterr().out)
    assert [line["name"] for line in printed["engines"]["file"]["items"]] == ["page"]


@pytest.mark.parametrize(
    ("sense", "target", "ratio", "met"),
    [
        (Sense.SPEED, 2.0, 2.0, True),
        (Sense.SPEED, 2.1, 2.0, False),
        (Sense.COST, 0.5, 0.5, True),
        (Sense.COST, 0.4, 0.5, False),
        (Sense.COST, None, 0.5, None),
    ],
)
def test_a_ratio_is_the_median_of_the_rounds(
    sense: Sense, target: float | None, ratio: float, *, met: bool | None
) -> None:
    item = replace(ITEMS[0], sense=sense, target=target)

    result = Result(item=item, ours=(1.0, 2.0, 9.0), other=(2.0, 4.0, 1.0))

    assert result.ratio == ratio
    assert result.met is met


async def test_both_sides_take_turns_and_the_first_round_does_not_count(tmp_path: Path) -> None:
    order: list[str] = []

    @asynccontextmanager
    async def prepare(place: Place) -> AsyncIterator[Pair]:
        async def ours() -> float:
            order.append("ours")
            return float(len(order))

        async def other() -> float:
            order.append("other")
            return float(len(order))

        yield Pair(ours, other)
        order.append("end")

    item: Item[Place] = replace(ITEMS[0], prepare=prepare)
    result = await measure(item, Place(tmp_path, QUICK), rounds=2)

    assert order == ["other", "ours", "ours", "other", "other", "ours", "end"]
    assert (result.ours, result.other) == ((3.0, 6.0), (4.0, 5.0))


async def test_what_is_laid_down_is_the_store_that_it_stands_for(tmp_path: Path) -> None:
    base = Place(tmp_path, QUICK).store("s", messages=4, contacts=3)

    async with await open_engine(f"file:{base}") as engine:
        keys = await engine.list(limit=None)

    assert sorted(keys) == sorted(all_keys(messages=4, contacts=3))
    assert len(keys) == 15


async def test_the_floor_writes_what_the_engine_writes(tmp_path: Path) -> None:
    place = Place(tmp_path, QUICK)
    floor = TemporaryThenRename(place.store("floor"), synced=True)
    floor.make_folders(["session"])

    floor.write("session/creds", b"one")
    floor.write("session/creds", b"two")
    async with await open_engine(f"file:{place.store('ours')}") as engine:
        await engine.set("session/creds", b"two")

    for name in ("floor", "ours"):
        assert (tmp_path / name / "session" / "creds").read_bytes() == b"two"
    assert walk(str(tmp_path / "floor")) == 1
