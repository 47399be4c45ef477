"""Opening: an identity is begun in a proven emptiness, on request, and nowhere else."""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from state_bench.engines import BrokenReads, FaultyEngine
from state_bench.identities import some_creds
from wa_core.errors import (
    CorruptRecordError,
    DamagedSessionError,
    EngineUnavailableError,
    FencedError,
    LeaseHeldError,
    NoSessionError,
    SessionMovedError,
    StorageError,
    WaError,
)
from wa_core.state import AuthState, Creds
from wa_core.state.moves import MOVE_KEY, Move, Stage
from wa_core.storage import (
    Engine,
    MemoryEngine,
    MemoryStore,
    ReadOnlyEngine,
    WrapperEngine,
    open_engine,
)
from wa_core.storage.layouts import CREDS

WHOLE = some_creds().to_bytes()


class Mint:
    """Counts the identities it was asked for."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Creds:
        self.made += 1
        return some_creds()


async def refuses(engine: Engine, error: type[WaError]) -> None:
    """Try every way to open, and see that none begins an identity."""
    mint = Mint()
    for create in (False, True):
        for force in (False, True):
            with pytest.raises(error):
                await AuthState.open(engine, create, force=force, mint=mint)
    assert mint.made == 0


async def test_nothing_is_begun_unasked() -> None:
    engine = MemoryEngine()

    with pytest.raises(NoSessionError, match="create=True"):
        await AuthState.open(engine)

    assert await engine.count() == 0


async def test_what_was_begun_is_found_again() -> None:
    engine = MemoryEngine()

    begun = await AuthState.open(engine, create=True)
    again = await AuthState.open(engine, create=True, mint=Mint())

    assert again.creds == begun.creds
    assert await engine.list(limit=None) == [CREDS]


@pytest.mark.parametrize("left", ["session/pre-key/1", "session/x", "chat/1/index", "lid/1"])
async def test_no_identity_is_begun_beside_other_records(left: str) -> None:
    engine = MemoryEngine()
    await engine.set(left, b"1")

    await refuses(engine, DamagedSessionError)

    assert await engine.list(limit=None) == [left]


@pytest.mark.parametrize("length", [0, 1, len(WHOLE) // 2, len(WHOLE) - 1])
async def test_damaged_credentials_are_left_as_they_are(length: int) -> None:
    engine = MemoryEngine()
    await engine.set(CREDS, WHOLE[:length])

    await refuses(engine, CorruptRecordError)

    assert await engine.get(CREDS) == WHOLE[:length]


async def test_credentials_cut_at_any_place_begin_nothing() -> None:
    engine, mint = MemoryEngine(), Mint()

    for length in range(len(WHOLE)):
        await engine.set(CREDS, WHOLE[:length])
        with pytest.raises(CorruptRecordError):
            await AuthState.open(engine, create=True, mint=mint)

    assert mint.made == 0


async def test_a_record_that_the_engine_calls_damaged_begins_nothing() -> None:
    engine = MemoryEngine()
    await engine.set(CREDS, WHOLE)
    engine.store.damage(CREDS)

    await refuses(engine, CorruptRecordError)

    assert engine.store.values[CREDS] == WHOLE


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        EngineUnavailableError("input/output error"),
        EngineUnavailableError("permission denied"),
        CorruptRecordError(CREDS),
        StorageError("the driver refused"),
        OSError(errno.EIO, os.strerror(errno.EIO)),
        PermissionError(errno.EACCES, os.strerror(errno.EACCES)),
        TimeoutError(),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_an_error_while_reading_begins_nothing(
    error: Exception, everything: bool, there: bool
) -> None:
    inner, mint = MemoryEngine(), Mint()
    if there:
        await inner.set(CREDS, WHOLE)
    broken = BrokenReads(inner, error, everything=everything)

    # A driver's own error would break F2; even then nothing is begun.
    with pytest.raises((type(error), EngineUnavailableError)):
        await AuthState.open(broken, create=True, mint=mint)

    assert mint.made == 0
    assert await inner.get(CREDS) == (WHOLE if there else None)
    assert await inner.count() == (1 if there else 0)


async def test_an_error_while_counting_begins_nothing() -> None:
    class Uncounted(MemoryEngine):
        async def _count(self, prefix: str) -> int:
            raise EngineUnavailableError("the index does not answer")

    engine, mint = Uncounted(), Mint()

    with pytest.raises(EngineUnavailableError):
        await AuthState.open(engine, create=True, mint=mint)

    assert mint.made == 0
    assert engine.store.values == {}


async def test_a_backend_that_is_silent_begins_nothing() -> None:
    engine, mint = MemoryEngine(timeout=0.01), Mint()
    engine.store.stall()

    with pytest.raises(EngineUnavailableError):
        await AuthState.open(engine, create=True, mint=mint)

    engine.store.resume()
    assert mint.made == 0
    assert engine.store.values == {}


async def test_an_identity_whose_write_failed_is_not_in_use() -> None:
    inner = MemoryEngine()
    faults = iter(["before", "after"])
    engine = FaultyEngine(inner, fault=lambda: next(faults, "none"))

    for _ in range(2):
        with pytest.raises(EngineUnavailableError):
            await AuthState.open(engine, create=True)
    state = await AuthState.open(engine)

    # The second write happened: its identity is the one, and no third was made.
    assert await inner.get(CREDS) == state.creds.to_bytes()


@pytest.mark.parametrize("seed", range(5))
async def test_of_many_who_begin_at_once_all_have_one_identity(seed: int) -> None:
    store, dice = MemoryStore(), random.Random(seed)

    async def begin() -> bytes:
        while True:
            try:
                engine = FaultyEngine(MemoryEngine(store), dice=dice)
                return (await AuthState.open(engine, create=True)).creds.to_bytes()
            except LeaseHeldError:
                await asyncio.sleep(0)

    identities = await asyncio.gather(*(begin() for _ in range(8)))

    assert set(identities) == {store.values[CREDS]}


async def test_who_is_overtaken_while_it_begins_takes_what_the_other_began() -> None:
    class Overtaken(WrapperEngine):
        async def _acquire(self, holder: str, ttl: float) -> int:
            await AuthState.open(self.inner, create=True)
            return await super()._acquire(holder, ttl)

    engine, mint = Overtaken(MemoryEngine()), Mint()

    state = await AuthState.open(engine, create=True, mint=mint)

    assert state.creds.to_bytes() == await engine.get(CREDS)
    assert mint.made == 0


async def test_the_lease_of_the_opener_is_the_one_that_begins() -> None:
    engine = MemoryEngine()
    async with await engine.acquire("worker", 60) as lease:
        state = await AuthState.open(engine, create=True, lease=lease)

        assert state.lease is lease
        with pytest.raises(LeaseHeldError):
            await engine.acquire("other", 60)


async def test_a_lost_lease_begins_nothing() -> None:
    engine = MemoryEngine()
    lease = await engine.acquire("worker", 60)
    await lease.release()

    with pytest.raises(FencedError):
        await AuthState.open(engine, create=True, lease=lease)

    assert await engine.count() == 0


async def test_a_session_that_moved_away_does_not_open() -> None:
    engine = MemoryEngine()
    await engine.set(CREDS, WHOLE)
    move = Move(id="1", stage=Stage.MOVED, other="memory:there", at=1)
    await engine.set(MOVE_KEY, move.to_bytes())

    with pytest.raises(SessionMovedError):
        await AuthState.open(engine, create=True)
    forced = await AuthState.open(engine, force=True)

    assert forced.creds == some_creds()


async def test_what_moved_away_without_leaving_credentials_gets_no_new_ones() -> None:
    engine, mint = MemoryEngine(), Mint()
    move = Move(id="1", stage=Stage.MOVED, other="memory:there", at=1)
    await engine.set(MOVE_KEY, move.to_bytes())

    with pytest.raises(DamagedSessionError):
        await AuthState.open(engine, create=True, force=True, mint=mint)

    assert mint.made == 0


async def test_a_reader_opens_what_it_cannot_write() -> None:
    engine = MemoryEngine()
    await engine.set(CREDS, WHOLE)

    async with await AuthState.open(ReadOnlyEngine(engine)) as state:
        assert state.creds == some_creds()


Damage = Callable[[Path], object]


async def opened(folder: Path) -> Engine:
    return await open_engine(f"file:{folder}?durability=process")


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    async with await opened(tmp_path) as engine, await AuthState.open(engine, create=True):
        return tmp_path


async def test_a_real_file_cut_at_any_place_begins_nothing(folder: Path) -> None:
    file, mint = folder / "session" / "creds", Mint()
    whole = file.read_bytes()

    for length in [0, 1, 2, *range(3, len(whole), 97), len(whole) - 1]:
        file.write_bytes(whole[:length])
        async with await opened(folder) as engine:
            with pytest.raises(CorruptRecordError):
                await AuthState.open(engine, create=True, mint=mint)
        assert file.read_bytes() == whole[:length]

    file.write_bytes(whole)
    async with await opened(folder) as engine, await AuthState.open(engine) as state:
        assert state.creds.to_bytes() == whole
    assert mint.made == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: (file.unlink(), file.mkdir(), (file / "x").write_bytes(b"")),
        lambda file: (file.unlink(), file.symlink_to(file)),
        lambda file: (file.unlink(), file.symlink_to("/proc/self/mem")),
        lambda file: file.unlink(),
    ],
    ids=["a folder", "a circle", "unreadable", "gone"],
)
async def test_a_file_that_cannot_be_read_begins_nothing(folder: Path, damage: Damage) -> None:
    file, mint = folder / "session" / "creds", Mint()
    damage(file)
    left = os.path.lexists(file) and file.lstat()

    with pytest.raises(StorageError):
        async with await opened(folder) as engine:
            await AuthState.open(engine, create=True, mint=mint)

    assert mint.made == 0
    assert (os.path.lexists(file) and file.lstat()) == left
