"""Archives of every engine, and back into every engine, on real servers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from archive_bench.busy import Twenty, said_by
from archive_bench.made import KEY, SECRET, VARIABLE, url_of
from migrate_bench.places import OURS, Places
from migrate_bench.sample import fill, held, opens, whole_records
from wa_core.archive import open_archive
from wa_core.backup import create, restore
from wa_core.migrate import copy
from wa_core.migrate.rebirth import comes_back
from wa_core.storage import open_engine
from wa_core.storage.layouts import CREDS

pytestmark = pytest.mark.once

RING = [*pairwise((*OURS, OURS[0]))]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the key of all archives where their URLs say it is."""
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.mark.parametrize(("first", "second"), RING)
async def test_a_last_state_comes_back_deep_equal_from_any_engine_into_any_other(
    first: str, second: str, place: Places, tmp_path: Path
) -> None:
    source, target, archive = place(first), place(second), url_of(tmp_path / "a.wa")
    await fill(source, whole_records())
    before = await held(source)

    await copy(source, archive)
    await copy(archive, target)

    assert await held(target) == before
    assert [await opens(each) for each in (source, archive, target)] == [False, False, True]


@pytest.mark.parametrize("kind", OURS)
async def test_a_backup_beside_a_writer_is_of_one_moment_and_comes_back(
    kind: str, place: Places, tmp_path: Path
) -> None:
    source, target, archive = place(kind), place(kind), url_of(tmp_path / "a.wa")
    await fill(source, whole_records(chats=2))
    async with await open_engine(source) as engine:
        twenty = Twenty(messages=50)
        await twenty.write(engine)
        async with twenty.writing(engine):
            for number in range(3):
                await create(source, url_of(tmp_path / f"{number}.wa"))
        await create(source, archive)
    last = await held(source)

    for number in range(3):
        async with await open_archive(str(tmp_path / f"{number}.wa"), SECRET) as found:
            assert len(said_by({entry.key: entry.value async for entry in found.scan()})) == 1
    await restore(archive, target)
    assert {key: each for key, each in (await held(target)).items() if key != CREDS} == {
        key: each for key, each in last.items() if comes_back(key) and key != CREDS
    }
