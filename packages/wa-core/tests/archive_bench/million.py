"""What archives of many records cost: `python -m archive_bench.million RECORDS FOLDER`.

Each step is told as a line of JSON with its seconds and the peak of the process so far, in MB. The
source is computed, not kept, so that all that is measured is the archive's; the target is SQLite.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from wa_core.archive import About, capture, open_archive, prove
from wa_core.backup import restore
from wa_core.errors import UnsupportedError
from wa_core.storage import Capabilities, Durability, Engine, Entry, Lease, Operation

from archive_bench.made import CHEAP, KEY, SECRET, TAKEN_AT, VARIABLE, url_of

FIRST_AT = 1_700_000_000_000_000
STEP = 7_368_787
"""A prime: walking in steps of it meets every number once, in no order of names."""


class Computed(Engine):
    """A still session of many messages that lie nowhere; scanned in an order that is none."""

    def __init__(self, records: int) -> None:
        super().__init__(Capabilities(durability=Durability.VOLATILE, shared=True))
        self._records = records

    def _entry(self, number: int) -> Entry:
        key = f"chat/54911{number % 5000:08d}@s.whatsapp.net/message/3EB0{number * STEP:016X}/index"
        return Entry(key, b"%0200d" % number, FIRST_AT + number)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        wanted = set(keys)
        newest = range(self._records - len(wanted) - 1000, self._records)
        found = (self._entry(number) for number in newest)
        return {entry.key: entry.value for entry in found if entry.key in wanted}

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        stop = self._records if limit is None else min(offset + limit, self._records)
        return [self._entry(self._records - 1 - place).key for place in range(offset, stop)]

    async def _count(self, prefix: str) -> int:
        return self._records

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        if prefix:
            number = int(prefix.split("/")[3].removeprefix("3EB0"), 16) // STEP
            yield self._entry(number)
            return
        for place in range(self._records):
            yield self._entry(place * STEP % self._records)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        raise UnsupportedError("writes")

    async def _clear(self) -> None:
        raise UnsupportedError("writes")


class Steps:
    """Tells what each step took."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        took = now - self._began
        print(json.dumps({"step": name, "seconds": took, "peak_mb": peak_mb()}), flush=True)
        self._began = now


def peak_mb() -> float:
    """Return the peak of this process; `ru_maxrss` may be that of whoever started it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


async def measure(records: int, folder: str) -> None:
    """Take, prove, look into and restore one archive."""
    path, steps = f"{folder}/million", Steps()
    await capture(Computed(records), path, SECRET, About(taken_at=TAKEN_AT), cost=CHEAP)
    steps("create")
    assert (await prove(path, SECRET)).records == records
    steps("verify")
    await restore(url_of(path), f"sqlite:{folder}/million.db?durability=process#bot")
    steps("restore")
    async with await open_archive(path, SECRET) as engine:
        page = await engine.list(limit=50)
        assert len(await engine.get_many(page)) == 50
        assert page == await Computed(records).list(limit=50)
        assert await engine.count("chat/") == records
    steps("list and get")
    print(json.dumps({"file_mb": os.stat(path).st_size / 1024 / 1024}))


if __name__ == "__main__":
    os.environ[VARIABLE] = KEY
    asyncio.run(measure(int(sys.argv[1]), sys.argv[2]))
