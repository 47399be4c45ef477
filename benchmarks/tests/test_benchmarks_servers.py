"""The measurements on servers at tiny sizes: all sides do the same work, and all items run."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from wa_conformance.absence import absent
from wa_conformance.servers import ServerNotFoundError

from benchmarks import servers
from benchmarks.__main__ import BAILEYS, main
from benchmarks.datasets import FEW, MESSAGES, TINY, Dataset
from benchmarks.item import Unit
from benchmarks.kinds import KINDS, Kind
from benchmarks.peers import baileys
from benchmarks.rig import Rig, rigged
from benchmarks.subject import group_of

pytestmark = pytest.mark.once
EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
QUICK = {"sqlite"}
"""Whose items are all run in every test run; those of the others take a minute each."""
IN_TURN = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind.name in QUICK else pytest.mark.soak)
        for kind in KINDS.values()
    ],
    ids=lambda kind: kind.name,
)
EMPTY = Dataset("empty", lambda amounts: iter(()))


@pytest.fixture(autouse=True)
def _without_baileys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for it where it is not: a test must not depend on what was installed once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def disk() -> Iterator[Path]:
    """Make a place to measure; nothing is timed here, so it may be in memory as the servers are."""
    with TemporaryDirectory(dir=os.environ.get("WA_SERVER_DIR") or None) as folder:
        yield Path(folder)


@asynccontextmanager
async def rig_of(kind: Kind, folder: Path) -> AsyncIterator[Rig]:
    """Set a kind up; without a server the test is skipped, and in CI it fails."""
    try:
        async with rigged(kind, folder, TINY) as rig:
            yield rig
    except ServerNotFoundError as exc:
        absent(str(exc))


@EVERY_KIND
async def test_a_floor_does_what_the_engine_does(kind: Kind, tmp_path: Path) -> None:
    async with rig_of(kind, tmp_path) as rig:
        for subject in (await rig.ours(EMPTY), await rig.floor(EMPTY)):
            await subject.put([("session/creds", b"1"), ("contact/1/index", b"2")])
            await subject.put([(f"{MESSAGES}{number}/raw", b"3") for number in range(9)])
            await subject.put([(f"{MESSAGES}4/raw", b"4")])
            await subject.delete("contact/1/index")

            assert await subject.page(MESSAGES, 0, 3) == [
                f"{MESSAGES}{number}/raw" for number in (4, 8, 7)
            ]
            assert await subject.page(MESSAGES, 7, 50) == [
                f"{MESSAGES}{number}/raw" for number in (1, 0)
            ]
            assert await subject.get_many(["session/creds", "contact/1/index"]) == 1
            assert await subject.scan() == 10
            await subject.drop(group_of(MESSAGES))
            assert await subject.scan() == 1


@EVERY_KIND
async def test_a_dataset_is_filled_once_on_each_side(kind: Kind, tmp_path: Path) -> None:
    async with rig_of(kind, tmp_path) as rig:
        ours, floor = await rig.ours(FEW), await rig.floor(FEW)
        again = await rig.ours(FEW), await rig.floor(FEW)

        assert again == (ours, floor)
        assert [await ours.scan(), await floor.scan()] == [TINY.few_keys] * 2


@IN_TURN
def test_every_item_of_a_server_runs_and_has_its_place_on_the_page(
    kind: Kind, disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    words = ["storage", "--engine", kind.name, "--quick", "--json"]
    code = main([*words, "--dir", str(disk), "--out", str(out)])

    record = json.loads(capsys.readouterr().out)["engines"][kind.name]
    if "not_run" in record:
        absent(record["not_run"])
    expected = [item for item in servers.items(kind) if item.rival not in BAILEYS]
    assert code == 0
    assert [line["name"] for line in record["items"]] == [item.name for item in expected]
    page = (out / "storage.md").read_text()
    assert all(item.title in page for item in expected if item.unit is Unit.SECONDS)
    assert list(disk.iterdir()) == []


def test_what_cannot_be_measured_here_says_what_helps() -> None:
    assert baileys.reason_not_to_run() in {
        "no node on PATH",
        "not installed: `./dev bench baileys` does",
    }
