"""The manifest: a torn end is none, damage is said, and what is newer is refused [G2, N3]."""

from __future__ import annotations

import errno
import os
from io import BytesIO
from pathlib import Path

import pytest
import wa_engine_file.manifest
from file_bench.disks import FaultyDisk
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import CorruptRecordError, StoreVersionError
from wa_engine_file.change import Facts, Known
from wa_engine_file.contents import MemoryContents
from wa_engine_file.disk import Disk
from wa_engine_file.keys import Spelling
from wa_engine_file.manifest import Covered, Manifest, ManifestFile, block, head, read_manifest

FIRST = head(Spelling.PLAIN, b"0123456789abcdef")
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
numbers = st.integers(0, 2**53 - 1)
facts = st.one_of(st.none(), st.builds(Facts, numbers, numbers, st.integers(0, 2**32 - 1)))
blocks = st.lists(st.dictionaries(names, facts, max_size=5), min_size=1, max_size=4)


def written(*bodies: dict[str, Facts | None]) -> bytes:
    data = FIRST
    for number, body in enumerate(bodies):
        covered = Covered(number, number + 10, number + 20, number + 30)
        data += b"".join(block(FIRST, body.items(), covered))
    return data


def parse(data: bytes) -> tuple[Manifest, dict[str, Known]]:
    contents = MemoryContents()
    found = read_manifest(BytesIO(data), contents)
    return found, dict(contents.everything())


ONE: dict[str, Facts | None] = {"a": Facts(5, 1, 17), "b": Facts(6, 2, 18)}
TWO: dict[str, Facts | None] = {"a": None, "c": Facts(7, 3, 19)}
THREE: dict[str, Facts | None] = {"b": Facts(8, 4, 20)}


@given(blocks)
def test_what_was_written_is_read_back_with_the_last_word_on_each_key(
    bodies: list[dict[str, Facts | None]],
) -> None:
    said: dict[str, Facts | None] = {}
    for body in bodies:
        said |= body

    found, known = parse(written(*bodies))

    assert known == {key: facts for key, facts in said.items() if facts is not None}
    assert found.covered.seq == len(bodies) - 1
    assert found.length == len(written(*bodies))


def test_a_last_block_cut_at_any_byte_does_not_count() -> None:
    whole = written(ONE, TWO)
    last = written(ONE, TWO, THREE)[len(whole) :]

    for cut in range(len(last)):
        found, known = parse(whole + last[:cut])
        assert found.covered.seq == 1
        assert found.length == len(whole)
        assert known == {"b": ONE["b"], "c": TWO["c"]}


def test_a_last_block_that_lost_its_beginning_does_not_count() -> None:
    whole = written(ONE, TWO)
    last = written(ONE, TWO, THREE)[len(whole) :]

    for lost in range(1, len(last)):
        found, _ = parse(whole + bytes(lost) + last[lost:])
        assert found.covered.seq == 1


@pytest.mark.parametrize("flipped", [1, 2, 0x10, 0x80])
def test_nothing_at_or_behind_damage_counts(flipped: int) -> None:
    data = written(ONE, TWO, THREE)
    ends = [len(written(ONE)), len(written(ONE, TWO)), len(data)]

    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= flipped
        before = sum(end <= at for end in ends)
        try:
            found, _ = parse(bytes(damaged))
        except (CorruptRecordError, StoreVersionError):
            continue
        assert before > 0
        assert found.covered.seq == before - 1


@pytest.mark.parametrize("flipped", [1, 2, 0x10, 0x80])
def test_damage_to_the_last_block_takes_nothing_but_that_block(flipped: int) -> None:
    safe, data = len(written(ONE, TWO)), written(ONE, TWO, THREE)

    for at in range(safe, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= flipped
        found, _ = parse(bytes(damaged))
        assert found.covered.seq == 1


@pytest.mark.parametrize("length", range(0, len(FIRST) + 3))
def test_a_manifest_without_one_whole_block_is_damaged(length: int) -> None:
    with pytest.raises(CorruptRecordError):
        parse(written(ONE)[:length])


def test_a_manifest_of_a_newer_version_is_refused() -> None:
    newer = written(ONE).replace(b"wa-file 1 ", b"wa-file 2 ", 1)

    with pytest.raises(StoreVersionError, match="version 2"):
        parse(newer)


def test_compaction_keeps_what_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wa_engine_file.manifest, "COMPACT_FROM", 10)
    file = ManifestFile(Disk(), str(tmp_path), synced=False, empty=MemoryContents)
    file.begin(Manifest(Spelling.SAFE, b"s" * 16), MemoryContents())
    sizes = []

    for number in range(1, 100):
        file.append({"a": Facts(number, 1, 2), f"b/{number}": None}, Covered(number, 1, 2, 3))
        sizes.append((tmp_path / "manifest").stat().st_size)
    file.close()

    found, known = parse((tmp_path / "manifest").read_bytes())
    assert max(sizes) < 1500
    assert known == {"a": Facts(99, 1, 2)}
    assert (found.covered, found.spelling) == (Covered(99, 1, 2, 3), Spelling.SAFE)
    assert os.listdir(tmp_path) == ["manifest"]


def test_a_block_that_could_not_be_synced_is_taken_back(tmp_path: Path) -> None:
    disk = FaultyDisk(lambda: OSError(errno.EIO, "sync"), lasting=False, short=False)
    file = ManifestFile(disk, str(tmp_path), synced=True, empty=MemoryContents)
    file.begin(Manifest(Spelling.PLAIN, b"s" * 16), MemoryContents())
    before = (tmp_path / "manifest").read_bytes()
    disk.break_at(2)

    with pytest.raises(OSError, match="sync"):
        file.append({"a": Facts(1, 1, 2)}, Covered(1, 1, 1, 1))
    file.close()

    assert disk.raised == "sync_log"
    assert (tmp_path / "manifest").read_bytes() == before
