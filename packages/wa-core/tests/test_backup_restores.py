"""Restore is not rewind: what of a backup comes back, and what it takes to get the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from archive_bench.made import KEY, VARIABLE, url_of
from migrate_bench.sample import fill, held, opens, whole_records
from migrate_bench.small import RECORDS, Interference, at
from state_bench.identities import numbered_pairs, some_creds
from wa_core.backup import REWIND, REWIND_BREAKS, create, restore
from wa_core.errors import CorruptRecordError, MoveConflictError, UsageError
from wa_core.migrate import Phase
from wa_core.migrate.rebirth import ID_GAP, reborn_creds
from wa_core.state import AuthState
from wa_core.state.prekeys import LAST_ID
from wa_core.storage import open_engine
from wa_core.storage.layouts import CREDS, record_of

GONE = {"session", "sender-key", "sender-key-memory", "pre-key"}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name an archive, whose key is where its URL says."""
    monkeypatch.setenv(VARIABLE, KEY)
    return url_of(tmp_path / "a.wa")


def is_gone(key: str) -> bool:
    record = record_of(key)
    return record is not None and record[0] in GONE


async def test_ratchets_and_pre_keys_stay_behind_and_everything_else_comes_back(
    source: str, target: str, archive: str
) -> None:
    await fill(source, whole_records())
    before = await held(source)
    await create(source, archive)

    report = await restore(archive, target)

    expected = {key: value for key, value in before.items() if not is_gone(key)}
    found = await held(target)
    assert report.outcome == "restored"
    assert "ratchets and pre-keys" in report.warnings[0]
    assert found.keys() == expected.keys()
    assert {key for key in found if found[key] != expected[key]} == {CREDS}
    assert found[CREDS][1] == expected[CREDS][1]
    assert await opens(target)
    assert await held(source) == before
    assert await opens(source)


async def test_no_pre_key_id_is_given_twice(source: str, target: str, archive: str) -> None:
    await fill(source, {CREDS: some_creds().to_bytes()})
    async with await open_engine(source) as engine, await AuthState.open(engine) as state:
        given = await state.pre_keys.offer(30, generate=numbered_pairs())
        await create(source, archive)
        await state.pre_keys.taken(given)
        given |= await state.pre_keys.offer(812, generate=numbered_pairs())

    await restore(archive, target)

    async with await open_engine(target) as engine, await AuthState.open(engine) as state:
        assert await state.pre_keys.alive() == []
        anew = await state.pre_keys.offer(30, generate=numbered_pairs())
        assert not anew.keys() & given.keys()
        assert min(anew) > max(given)
        assert state.creds.noise_key == some_creds().noise_key


def counters(value: bytes) -> tuple[int, int]:
    creds = json.loads(value)
    return creds["nextPreKeyId"], creds["firstUnuploadedPreKeyId"]


def test_the_counters_jump_and_stop_at_the_last_id_there_is() -> None:
    assert counters(reborn_creds(b'{"nextPreKeyId":31,"firstUnuploadedPreKeyId":5}')) == (
        31 + ID_GAP,
        31 + ID_GAP,
    )
    assert counters(reborn_creds(b"{}")) == (1 + ID_GAP, 1 + ID_GAP)
    assert counters(reborn_creds(b'{"nextPreKeyId":%d}' % (LAST_ID - 1))) == (LAST_ID, LAST_ID)
    for broken in (b"[]", b"{", b""):
        with pytest.raises(CorruptRecordError):
            reborn_creds(broken)


async def test_unknown_fields_of_the_credentials_stay_as_they_are() -> None:
    creds = some_creds().to_bytes()

    before, after = json.loads(creds), json.loads(reborn_creds(creds))

    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"nextPreKeyId", "firstUnuploadedPreKeyId"}
    assert before.keys() <= after.keys()


async def test_ratchets_come_back_for_the_exact_words_alone(
    source: str, target: str, archive: str
) -> None:
    await fill(source, whole_records())
    before = await held(source)
    await create(source, archive)

    for words in ("yes", REWIND.upper(), REWIND + " "):
        with pytest.raises(UsageError) as caught:
            await restore(archive, target, rewind=words)
        assert REWIND_BREAKS in str(caught.value)
        assert await held(target) == {}
    report = await restore(archive, target, rewind=REWIND)

    assert await held(target) == before
    assert (report.outcome, report.records) == ("restored", len(before))


async def test_an_ordinary_backup_can_be_restored_again_and_again(
    source: str, target: str, archive: str, tmp_path: Path
) -> None:
    await fill(source, RECORDS)
    await create(source, archive)
    before = (tmp_path / "a.wa").read_bytes()

    for place in (target, f"file:{tmp_path}/f#bot", f"sqlite:{tmp_path}/wa.db#bot"):
        await restore(archive, place)
        assert await opens(place)

    assert (tmp_path / "a.wa").read_bytes() == before
    assert not (tmp_path / "a.wa.move").exists()


async def test_a_target_that_holds_something_else_is_refused_unless_asked(
    source: str, target: str, archive: str
) -> None:
    await fill(source, RECORDS)
    await create(source, archive)
    await fill(target, {CREDS: b'{"me":{"id":"2"}}', "chat/9": b"another"})
    before = await held(target)

    with pytest.raises(MoveConflictError):
        await restore(archive, target)
    assert await held(target) == before

    await restore(archive, target, on_conflict="overwrite")
    assert "chat/9" not in await held(target)
    assert await opens(target)


@pytest.mark.parametrize("phase", [Phase.LOOKING, Phase.COPYING, Phase.VERIFYING, Phase.DECIDING])
async def test_a_restore_that_is_stopped_leaves_no_half_session_and_can_be_run_again(
    source: str, target: str, archive: str, phase: Phase
) -> None:
    await fill(source, RECORDS)
    await create(source, archive)

    with pytest.raises(Interference):
        await restore(archive, target, listener=at(phase))

    assert not await opens(target)
    await restore(archive, target)
    assert await opens(target)
    assert (await held(target)).keys() == {key for key in RECORDS if not is_gone(key)}


async def test_what_is_no_archive_is_not_restored(source: str, target: str) -> None:
    with pytest.raises(UsageError, match="archive: URL"):
        await restore(source, target)
