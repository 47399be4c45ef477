"""The journal: the whole counts, the torn never was, and the damaged is said [W1, G2]."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import CorruptRecordError
from wa_engine_file.change import Change, Facts, Record, facts_of
from wa_engine_file.journal import FrameCodec

SECRET = bytes(16)
CODEC = FrameCodec(SECRET)

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
numbers = st.integers(0, 2**53 - 1)
records = st.builds(
    lambda value, at: Record(value, facts_of(value, at)), st.binary(max_size=200), numbers
)
changes = st.builds(
    lambda kept, gone, last, epoch: Change(kept, gone, last=last, epoch=epoch),
    st.dictionaries(names, records, max_size=5),
    st.lists(names, max_size=5),
    numbers,
    numbers,
)


def record(value: bytes, at: int) -> Record:
    return Record(value, facts_of(value, at))


def say(seq: int, *, size: int = 12) -> Change:
    return Change({f"key/{seq}": record(bytes([seq]) * size, seq)}, [f"gone/{seq}"], last=seq)


def frames(*seqs: int, generation: int = 1) -> list[bytes]:
    return [CODEC.encode(say(seq), generation=generation, seq=seq) for seq in seqs]


def seqs_after(segments: list[bytes], seq: int) -> list[int]:
    return [frame.seq for frame in CODEC.frames_after(segments, seq)]


@given(changes, st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_change_is_read_back_from_its_frame(change: Change, generation: int, seq: int) -> None:
    data = CODEC.encode(change, generation=generation, seq=seq)

    frame = CODEC.frame_at(data, 0)

    assert frame is not None
    assert (frame.generation, frame.seq, frame.end) == (generation, seq, len(data))
    assert frame.change.records == change.records
    assert frame.change.removed == change.removed
    assert (frame.change.last, frame.change.epoch) == (change.last, change.epoch)


def test_facts_that_do_not_match_the_value_are_kept_as_they_are() -> None:
    moved = Record(b"damaged", Facts(1, 99, 12345))

    data = CODEC.encode(Change({"k": moved}), generation=1, seq=1)

    frame = CODEC.frame_at(data, 0)
    assert frame is not None
    assert frame.change.records["k"] == moved


@pytest.mark.parametrize("tail", [b"", bytes(700), b"\xff" * 700])
def test_a_last_frame_cut_at_any_byte_never_was(tail: bytes) -> None:
    whole, last = b"".join(frames(1, 2)), frames(3)[0]

    for cut in range(len(last)):
        torn = whole + last[:cut] + tail[: max(0, len(tail) - cut)]
        if torn.startswith(whole + last):
            continue
        assert seqs_after([b"", torn], 0) == [1, 2], cut


def test_a_last_frame_torn_over_an_older_one_never_was() -> None:
    old = b"".join(frames(1, 2, 3))
    new = frames(7, generation=3)[0]

    for cut in range(len(new)):
        torn = new[:cut] + old[cut:]
        assert seqs_after([b"".join(frames(4, 5, 6, generation=2)), torn], 3) == [4, 5, 6], cut


@pytest.mark.parametrize("flipped", [1, 0x80, 0xFF])
@pytest.mark.parametrize("victim", [0, 1])
def test_damage_to_an_earlier_frame_is_never_taken_for_an_end(victim: int, flipped: int) -> None:
    parts = frames(1, 2, 3)
    before = sum(map(len, parts[:victim]))

    for at in range(before, before + len(parts[victim])):
        data = bytearray(b"".join(parts) + bytes(200))
        data[at] ^= flipped
        with pytest.raises(CorruptRecordError, match="journal"):
            CODEC.frames_after([b"", bytes(data)], 0)


@pytest.mark.parametrize("flipped", [1, 0x80, 0xFF])
def test_damage_in_the_older_segment_is_never_taken_for_an_end(flipped: int) -> None:
    older, newer = b"".join(frames(1, 2)), b"".join(frames(3, 4, generation=2))

    for at in range(len(older)):
        data = bytearray(older)
        data[at] ^= flipped
        with pytest.raises(CorruptRecordError, match="journal"):
            CODEC.frames_after([newer, bytes(data)], 0)


def test_damage_to_what_the_manifest_covers_does_not_matter() -> None:
    parts = frames(1, 2)

    for at in range(len(parts[0]) + len(parts[1])):
        data = bytearray(b"".join(parts))
        data[at] ^= 0xFF
        assert seqs_after([b"", bytes(data)], 2) == []


def test_frames_of_an_older_generation_behind_the_end_do_not_count() -> None:
    old = b"".join(frames(1, 2, 3))
    new = frames(4, generation=3)[0]

    assert seqs_after([new + old[len(new) :], b""], 3) == [4]


def test_a_frame_with_the_wrong_secret_is_none_wherever_it_lies() -> None:
    forger = FrameCodec(b"another secret..")
    forged = forger.encode(say(3), generation=1, seq=3)
    value = record(forged * 3, 2)
    honest = CODEC.encode(Change({"k": value}), generation=1, seq=2)

    assert seqs_after([b"", frames(1)[0] + honest], 0) == [1, 2]
    assert seqs_after([b"", frames(1)[0] + honest + forged], 0) == [1, 2]
    assert seqs_after([b"", frames(1)[0] + forged], 0) == [1]


def test_a_torn_frame_whose_value_holds_older_frames_brings_none_of_them_back() -> None:
    older = frames(1, 2)
    value = record(b"".join(older), 3)
    last = CODEC.encode(Change({"copy": value}), generation=1, seq=3)

    for cut in range(1, len(last)):
        assert seqs_after([b"", b"".join(older) + last[:cut] + bytes(50)], 0) == [1, 2]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_make_the_reader_fail(noise: bytes, at: int) -> None:
    assert CODEC.frame_at(noise, at) is None
    assert CODEC.header(noise) == (0, 0)
    assert seqs_after([noise, noise], 0) == []
