"""An archive that is not as it was written: always a typed error, never half a session."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from archive_bench.made import (
    CHEAP,
    KEY,
    OTHER,
    SECRET,
    VARIABLE,
    entries,
    url_of,
    write_archive,
)
from wa_core.archive import prove
from wa_core.archive.frames import END_SIZE, About, End, FrameCipher, Sum, record_of
from wa_core.archive.header import HEADER_SIZE, Header
from wa_core.backup import restore, verify
from wa_core.crypto.keysource import new_key, secret_of
from wa_core.errors import (
    DamagedArchiveError,
    EngineConfigError,
    InvalidUrlError,
    KeyUnavailableError,
    NoArchiveError,
    StoreVersionError,
    WrongKeyError,
)
from wa_core.storage import Entry, list_sessions, open_engine

TYPED = (DamagedArchiveError, NoArchiveError, StoreVersionError, WrongKeyError)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write an archive of a few dozen records, with its key in the environment."""
    monkeypatch.setenv(VARIABLE, KEY)
    write_archive(tmp_path / "whole", entries(40))
    return tmp_path / "whole"


async def is_untouched(target: str) -> bool:
    async with await open_engine(target, read_only=True) as engine:
        return not await engine.list(limit=None)


async def refused(data: bytes, archive: Path, target: str) -> str:
    """Restore other bytes from the same place; return the code of what came of it."""
    other = archive.with_name("other")
    other.write_bytes(data)
    with pytest.raises(TYPED) as caught:
        await restore(url_of(other), target)
    return caught.value.code


async def test_cut_off_at_two_hundred_places_it_is_refused_and_the_target_untouched(
    archive: Path, target: str
) -> None:
    whole = archive.read_bytes()
    dice = random.Random(200)
    edges = [0, 1, 8, 40, HEADER_SIZE - 1, HEADER_SIZE, len(whole) - END_SIZE, len(whole) - 1]
    places = edges + dice.sample(range(len(whole)), 200 - len(edges))

    codes = {await refused(whole[:place], archive, target) for place in places}

    assert codes == {"no-archive", "damaged-archive"}
    assert await is_untouched(target)


@pytest.mark.once
async def test_with_any_of_two_thousand_bits_flipped_it_is_refused_and_the_target_untouched(
    archive: Path, target: str
) -> None:
    whole = archive.read_bytes()
    head = range(8 * HEADER_SIZE)
    bits = [*head, *random.Random(2000).sample(range(len(head), 8 * len(whole)), 2000 - len(head))]

    codes = set()
    for bit in bits:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        codes.add(await refused(bytes(data), archive, target))

    assert codes == {"no-archive", "damaged-archive", "store-version", "wrong-key"}
    assert await is_untouched(target)


async def test_with_something_behind_its_end_it_is_refused(archive: Path, target: str) -> None:
    whole = archive.read_bytes()

    for more in (b"\0", whole[-END_SIZE:], whole):
        assert await refused(whole + more, archive, target) == "damaged-archive"

    assert await is_untouched(target)


def spans(data: bytes) -> list[tuple[int, int]]:
    """Return where each frame begins and ends."""
    found, at = [], HEADER_SIZE
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4])
        found.append((at, end))
        at = end
    return found


async def test_frames_that_are_swapped_left_out_or_repeated_are_refused(
    archive: Path, target: str
) -> None:
    whole = archive.read_bytes()
    frames = [whole[start:end] for start, end in spans(whole)]
    others = [
        [*frames[:1], frames[2], frames[1], *frames[3:]],
        [*frames[:3], *frames[4:]],
        [*frames[:3], frames[2], *frames[3:]],
        frames[1:],
        [frames[0], frames[-1]],
    ]

    for other in others:
        data = whole[:HEADER_SIZE] + b"".join(other)
        assert await refused(data, archive, target) == "damaged-archive"

    assert await is_untouched(target)


async def test_a_frame_of_another_archive_under_the_same_key_is_refused(
    archive: Path, target: str
) -> None:
    whole = archive.read_bytes()
    write_archive(archive.with_name("twin"), entries(40))
    twin = archive.with_name("twin").read_bytes()
    start, end = spans(whole)[5]

    assert await refused(whole[:start] + twin[start:end] + whole[end:], archive, target)
    assert await is_untouched(target)


def forged(frames: list[bytes], count: int | None = None, digest: bytes | None = None) -> bytes:
    """Write frames as somebody does who has the key and does not keep the rules."""
    unlocked = Header.fresh(SECRET).begin(SECRET)
    cipher, whole = FrameCipher(unlocked.frame_key, unlocked.data), Sum()
    written = [unlocked.data]
    for number, plain in enumerate(frames):
        whole.add(plain)
        written.append(cipher.seal(number, plain))
    end = End(len(frames) - 1 if count is None else count, digest or whole.digest())
    return b"".join([*written, cipher.seal_end(end)])


ABOUT = About(taken_at=1).to_bytes()
A, B = (record_of(Entry(key, b"value", 1)) for key in "ab")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (forged([ABOUT, B, A]), "order"),
        (forged([ABOUT, A, A]), "order"),
        (forged([ABOUT, A, B], count=1), "between"),
        (forged([ABOUT, A, B], count=3), "fewer"),
        (forged([ABOUT, A], digest=bytes(32)), "digest"),
        (forged([ABOUT, ABOUT]), "no record"),
        (forged([A, A]), "order"),
        (forged([b"\x01{}", A]), "metadata"),
        (forged([b'\x01{"taken_at": 1, "scope": 7}', A]), "metadata"),
        (forged([b"\x01" + b"[" * 9000, A]), "metadata"),
        (forged([ABOUT, record_of(Entry("a//b", b"", 1))]), "no record"),
        (forged([ABOUT, record_of(Entry("a", b"", 2**53))]), "no record"),
        (forged([ABOUT, b"\x02\xff\xff" + bytes(9)]), "no record"),
        (forged([ABOUT, b"\x02"]), "no record"),
    ],
)
async def test_what_somebody_with_the_key_wrote_wrongly_is_refused(
    tmp_path: Path, data: bytes, why: str
) -> None:
    (tmp_path / "forged").write_bytes(data)

    with pytest.raises(DamagedArchiveError, match=why):
        await prove(str(tmp_path / "forged"), SECRET)


async def test_the_writer_of_these_wrong_ones_writes_right_ones_too(tmp_path: Path) -> None:
    (tmp_path / "forged").write_bytes(forged([ABOUT, A, B]))

    assert (await prove(str(tmp_path / "forged"), SECRET)).records == 2


async def test_another_key_or_passphrase_is_a_wrong_key(tmp_path: Path) -> None:
    passphrase = secret_of("correct horse battery staple", "a test")
    write_archive(tmp_path / "by-key", entries(3))
    write_archive(tmp_path / "by-words", entries(3), passphrase, cost=CHEAP)
    wrong = secret_of("incorrect horse battery staple", "a test")

    for name, secret in (
        ("by-key", OTHER),
        ("by-key", passphrase),
        ("by-words", wrong),
        ("by-words", SECRET),
    ):
        with pytest.raises(WrongKeyError):
            await prove(str(tmp_path / name), secret)


async def test_a_wrong_key_restores_nothing(
    archive: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, new_key())

    with pytest.raises(WrongKeyError):
        await restore(url_of(archive), target)

    assert await is_untouched(target)


async def test_a_file_that_is_something_else_is_no_archive(
    archive: Path, target: str, tmp_path: Path
) -> None:
    for other in (b"", b"SQLite format 3\0" * 10, b'{"noiseKey":1}', bytes(1000)):
        assert await refused(other, archive, target) == "no-archive"
    with pytest.raises(NoArchiveError):
        await verify(url_of(tmp_path))

    assert await is_untouched(target)


async def test_a_newer_version_is_refused_by_name(archive: Path, target: str) -> None:
    whole = archive.read_bytes()

    assert await refused(whole[:8] + b"\0\2" + whole[10:], archive, target) == "store-version"
    assert await is_untouched(target)


async def test_what_a_url_gets_wrong_is_said(archive: Path, target: str) -> None:
    with pytest.raises(KeyUnavailableError, match="key=env:NAME"):
        await restore(f"archive:{archive}", target)
    with pytest.raises(InvalidUrlError, match="key: it takes"):
        await restore(f"archive:{archive}?key={KEY}", target)
    with pytest.raises(InvalidUrlError, match="leave out #"):
        await restore(url_of(archive) + "#bot", target)
    with pytest.raises(InvalidUrlError, match="unknown parameter"):
        await restore(url_of(archive) + "&colour=1", target)
    with pytest.raises(EngineConfigError, match="nothing to read"):
        await restore(url_of(archive.with_name("missing")), target)

    assert await is_untouched(target)
    assert await list_sessions(url_of(archive)) == [""]
    assert await list_sessions(url_of(archive.with_name("missing"))) == []
