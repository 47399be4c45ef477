"""Taking an archive of a session that is alive, and proving it from the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import islice

from wa_core.archive.frames import About
from wa_core.archive.moment import MAX_HOT, ROUNDS, Observation, Stranger, Watch, Writer
from wa_core.archive.offloop import off_loop
from wa_core.archive.place import MARKER_KEY
from wa_core.archive.proof import Proof, prove, unheard
from wa_core.archive.staging import Staging
from wa_core.archive.writer import ArchiveWriter
from wa_core.crypto.derivation import STRONG, Cost, Secret
from wa_core.errors import DamagedArchiveError, UnsettledBackupError
from wa_core.storage import Engine, Entry

_STEP = 2000


def is_marker(key: str) -> bool:
    """Tell whether a key is the marker of a move, which belongs to the store alone."""
    return key == MARKER_KEY or key.startswith(MARKER_KEY + "/")


async def capture(
    engine: Engine,
    path: str,
    secret: Secret,
    about: About,
    *,
    writer: Writer | None = None,
    cost: Cost = STRONG,
    heard: Callable[[int], None] = unheard,
    now: Callable[[], float] = time.time,
) -> Proof:
    """Write the session of an open engine to `path`, as it was at one moment.

    It may be written meanwhile, and its lease is not needed; `writer` is the one who does, where
    that is this program. `UnsettledBackupError` if it changes too fast; then there is no archive.
    """
    folder = os.path.dirname(path) or "."
    writer = writer or Stranger()
    watch = Watch()
    with (
        writer.watched(watch.note),
        await off_loop(lambda: Staging(folder), undo=Staging.close) as first,
    ):
        seen = Observation(
            engine, first, writer=writer, watch=watch, leaves_out=is_marker, heard=heard
        )
        await seen.begin()
        for _ in range(ROUNDS):
            await seen.choose()
            told = replace(about, taken_at=int(now() * 1e6))
            with await off_loop(lambda: Staging(folder), undo=Staging.close) as second:
                await seen.look_again(second)
                doubtful: set[str] = set()
                entries = seen.entries(second, doubtful)
                digest = await write(entries, path, secret, told, cost=cost, doubtful=doubtful)
            if digest is not None:
                return await _proven(path, secret, digest, heard)
            seen.heat(doubtful)
    raise UnsettledBackupError(f"other records had changed after each of {ROUNDS} looks")


async def write(
    entries: Iterator[Entry],
    path: str,
    secret: Secret,
    about: About,
    *,
    cost: Cost = STRONG,
    replaces: bool = False,
    doubtful: Collection[str] = (),
) -> str | None:
    """Write an archive of records in their order, and return its digest in hex.

    None, and no archive, if reading them put anything into `doubtful`.
    """
    with await off_loop(
        lambda: ArchiveWriter(path, secret, about, cost=cost, replaces=replaces),
        undo=ArchiveWriter.close,
    ) as writer:

        def some() -> bool:
            number = 0
            for entry in islice(entries, _STEP):
                number += 1
                if not doubtful:
                    writer.add(entry)
            return number > 0

        while await off_loop(some):
            if len(doubtful) > MAX_HOT:
                raise UnsettledBackupError(f"more than {MAX_HOT} records changed meanwhile")
        return None if doubtful else await off_loop(writer.finish)


async def _proven(path: str, secret: Secret, digest: str, heard: Callable[[int], None]) -> Proof:
    found = await prove(path, secret, heard=heard)
    if found.digest != digest:
        raise DamagedArchiveError("what lies on the disk is not what was written")
    return found
