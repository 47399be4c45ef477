"""The main job in one minute, on a file store: fill it, list it, cascade-delete, move it, judge it.

The store stays in its temporary folder afterwards, so that it can be looked at.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wa_core.errors import SessionMovedError
from wa_core.state.moves import check_openable
from wa_core.storage import Batch, Engine, open_engine

PRE_KEYS = 100
CONTACTS = 40
CHATS = 8
MESSAGES_PER_CHAT = 25
FIRST_MOMENT_US = 1_767_225_600_000_000
SECOND_US = 1_000_000


def main() -> int:
    """Run the demo; the exit code is the suite's."""
    folder = Path(tempfile.mkdtemp(prefix="wa-demo-"))
    store, database = f"file:{folder / 'store'}#demo", f"sqlite:{folder / 'wa.db'}#demo"
    asyncio.run(show_store(store))
    moved = show_move(store, database)
    step("Judge the file engine by the contract (wa-conformance, profile quick)")
    judged = folder / "judged"
    command = [sys.executable, "-m", "wa_conformance", f"file:{judged}", "--profile", "quick"]
    code = subprocess.run(command, check=False).returncode
    print(f"\nBoth stores are still there to look at: {folder}")
    return code or moved


def show_move(store: str, database: str) -> int:
    """Move the session to SQLite, keep a copy that does not open, and compare the two."""
    sides = ("--from", store, "--to", database)
    step("Move the session to SQLite, and keep a copy that refuses to open (wa-migrate)")
    code = migrate(*sides, "--keep-source")
    step("Compare both: a line for each record that differs, and a summary (wa-migrate check)")
    code = code or migrate("check", *sides, "--differences")
    step("Try to open what was left behind")
    asyncio.run(show_refusal(store))
    return code


def migrate(*words: str) -> int:
    """Run the command as a user would."""
    command = [sys.executable, "-m", "wa_core.cli.migrate", *words]
    return subprocess.run(command, check=False).returncode


async def show_refusal(url: str) -> None:
    """Open a store as a client would, and print why it is not the session."""
    async with await open_engine(url, read_only=True) as engine:
        try:
            await check_openable(engine)
        except SessionMovedError as exc:
            print(f"  {exc}")


async def show_store(url: str) -> None:
    """Fill a store, list it, delete a chat in cascade, and look again after reopening."""
    dice = random.Random(1)
    async with await open_engine(url) as engine:
        step(f"Fill {url}")
        for batch in (credentials(dice), contacts(dice)):
            await engine.apply(batch)
        for batch in messages(dice):
            await engine.apply(batch)
        await print_counts(engine)

        step("The five newest messages of the first chat")
        chat = f"chat/{jid(0)}"
        # A message is two keys here, its index and its content.
        newest = await engine.list(f"{chat}/message/", limit=10)
        records = await engine.get_many(key for key in newest if key.endswith("/index"))
        for key, record in records.items():
            print(f"  {key}  {record.decode()}")

        step(f"Delete {chat}: one call, one atomic step, everything below it")
        await engine.set(chat, None)
        await print_counts(engine)
    async with await open_engine(url) as engine:
        step("Open it again: the same counts")
        await print_counts(engine)


def credentials(dice: random.Random) -> Batch:
    """Write what pairing leaves: credentials and a first stock of pre-keys, all or nothing."""
    creds = {"registrationId": dice.randrange(1, 16380), "me": {"id": jid(0), "name": "Demo"}}
    batch = Batch().put("session/creds", json.dumps(creds))
    for number in range(1, PRE_KEYS + 1):
        pair = {"public": dice.randbytes(32).hex(), "private": dice.randbytes(32).hex()}
        batch.put(f"session/pre-key/{number}", json.dumps(pair))
    return batch


def contacts(dice: random.Random) -> Batch:
    """Write an address book."""
    batch = Batch()
    for number in range(CONTACTS):
        record = {"id": jid(number), "name": f"Contact {number}", "seen": dice.random() < 0.5}
        batch.put(f"contact/{jid(number)}/index", json.dumps(record))
    return batch


def messages(dice: random.Random) -> Iterator[Batch]:
    """Ingest messages as a client does: one batch each, with the chat it belongs to."""
    for number in range(CHATS * MESSAGES_PER_CHAT):
        chat = f"chat/{jid(number % CHATS)}"
        message = f"{chat}/message/{dice.randbytes(8).hex().upper()}"
        at = FIRST_MOMENT_US + number * SECOND_US
        record = {"from": jid(number % CHATS), "text": f"message {number}"}
        yield (
            Batch()
            .put(f"{chat}/index", json.dumps({"id": jid(number % CHATS)}), at=at)
            .put(f"{message}/index", json.dumps(record), at=at)
            .put(f"{message}/content", dice.randbytes(64), at=at)
        )


def jid(number: int) -> str:
    """Make up an address, in a range that no network hands out."""
    return f"99900000{number:04d}@s.whatsapp.net"


async def print_counts(engine: Engine) -> None:
    """Print how much there is of each kind."""
    for prefix in ("session/", "contact/", "chat/", ""):
        print(f"  {await engine.count(prefix):6d} keys under {prefix!r}")


def step(title: str) -> None:
    """Print what happens next."""
    print(f"\n== {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
