"""Archives made for a test: with a key that costs nothing to use, and a few odd records."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from wa_core.archive import About
from wa_core.archive.writer import ArchiveWriter
from wa_core.crypto.derivation import STRONG, Cost, Secret
from wa_core.crypto.keysource import new_key, secret_of
from wa_core.storage import Entry

VARIABLE = "WA_TEST_ARCHIVE_KEY"
KEY = new_key()
SECRET = secret_of(KEY, "a test")
OTHER = secret_of(new_key(), "a test")
CHEAP = Cost(n=2, r=1, p=1)
TAKEN_AT = 1_790_000_000_000_000


def url_of(path: Path | str) -> str:
    """Write the URL of an archive, whose key lies in the environment."""
    return f"archive:{path}?key=env:{VARIABLE}"


def entries(number: int, *, size: int = 40) -> list[Entry]:
    """Make some records in the order of their keys, at positions in another."""
    dice = random.Random(number)
    keys = {f"chat/{dice.randrange(50)}/message/{dice.getrandbits(64):016X}" for _ in range(number)}
    keys |= {"chat/1", "session/creds", "plugin/100 %_*?[x] \N{SNOWMAN}"}
    return [
        Entry(key, dice.randbytes(dice.randrange(size)), dice.randrange(2**50))
        for key in sorted(keys)
    ]


def write_archive(
    path: Path,
    records: Iterable[Entry],
    secret: Secret = SECRET,
    *,
    about: About | None = None,
    cost: Cost = STRONG,
) -> str:
    """Write an archive, and return its digest."""
    told = About(session="bot", taken_at=TAKEN_AT) if about is None else about
    with ArchiveWriter(str(path), secret, told, cost=cost) as writer:
        for entry in records:
            writer.add(entry)
        return writer.finish()
