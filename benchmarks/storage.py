"""The measurements of the storage engines, as one table: a new engine or peer is a new line."""

from __future__ import annotations

from benchmarks import reading, sealing, writing
from benchmarks.item import Item, Sense

SYNCED = "temporary file, fsync, rename, fsync of the folder, key by key"
UNSYNCED = "temporary file and rename, key by key"
WITH_FOLDER = "; makes the message's folder first, without syncing that entry"
UNSEALED = "the same without seal= in the URL"

ITEMS = (
    Item(
        name="credentials",
        title="save the credentials, 4 KB",
        against=SYNCED,
        sense=Sense.SPEED,
        target=0.7,
        prepare=writing.credentials,
        writes=True,
    ),
    Item(
        name="pre-keys",
        title="a batch of 100 new pre-keys",
        against=SYNCED,
        sense=Sense.SPEED,
        target=8,
        prepare=writing.pre_keys,
        writes=True,
    ),
    Item(
        name="ingest",
        title="a message (three keys, 1.2 KB, one batch) into a chat of 50,000",
        against=SYNCED + WITH_FOLDER,
        sense=Sense.SPEED,
        target=1.5,
        prepare=writing.ingest,
        writes=True,
    ),
    Item(
        name="ingest-to-the-end",
        title="200 such messages and close: all that was put off included",
        against=SYNCED + WITH_FOLDER,
        sense=Sense.SPEED,
        target=None,
        prepare=writing.ingest_to_the_end,
        writes=True,
    ),
    Item(
        name="ingest-process",
        title="a message into a chat of 50,000, at durability=process",
        against=UNSYNCED + WITH_FOLDER,
        sense=Sense.SPEED,
        target=0.7,
        prepare=writing.ingest_unsynced,
        writes=True,
    ),
    Item(
        name="page",
        title="the 50 newest of 200,000 keys",
        against="the memory engine with as many keys",
        sense=Sense.COST,
        target=2,
        prepare=reading.page,
    ),
    Item(
        name="growth-memory",
        title="memory engine: the 50 newest under chat/X/message/ at 500,000 keys",
        against="the same at 500 keys",
        sense=Sense.COST,
        target=2,
        prepare=reading.growth_in_memory,
    ),
    Item(
        name="growth-file",
        title="file engine: the 50 newest under chat/X/message/ at 500,000 keys",
        against="the same at 500 keys",
        sense=Sense.COST,
        target=2,
        prepare=reading.growth_in_files,
    ),
    Item(
        name="open",
        title="open a store of 100,000 keys that the engine has written",
        against="os.scandir and stat of every file of the same folder",
        sense=Sense.COST,
        target=1.5,
        prepare=reading.open_own,
    ),
    Item(
        name="open-adopted",
        title="open a store of 100,000 keys that another program has filled",
        against="os.scandir and stat of every file of the same folder",
        sense=Sense.COST,
        target=1.5,
        prepare=reading.open_adopted,
    ),
    Item(
        name="sealed-memory",
        title="a record of 4 KB written and read sealed, in batches of 100, memory engine",
        against=UNSEALED,
        sense=Sense.COST,
        target=None,
        prepare=sealing.in_memory,
    ),
    Item(
        name="sealed-file",
        title="a record of 4 KB written and read sealed, in batches of 100, file engine",
        against=UNSEALED,
        sense=Sense.COST,
        target=None,
        prepare=sealing.in_files,
        writes=True,
    ),
    Item(
        name="sealed-sqlite",
        title="a record of 4 KB written and read sealed, in batches of 100, SQLite",
        against=UNSEALED,
        sense=Sense.COST,
        target=None,
        prepare=sealing.in_sqlite,
        writes=True,
    ),
)
