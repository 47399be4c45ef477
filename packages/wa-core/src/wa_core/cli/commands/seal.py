"""`wa seal rotate|new-key`: the keys of sealed sessions."""

from __future__ import annotations

import argparse
import os

from wa_core.cli.blocks import Line, Tone
from wa_core.cli.command import Actions, add_url
from wa_core.cli.exits import DONE
from wa_core.cli.screen import Screen
from wa_core.cli.spelling import count
from wa_core.seal import KeySource, new_key
from wa_core.seal.rotation import Progress, rotate_data_key, rotate_key
from wa_core.storage import open_engine

_EXAMPLES = """\
examples
  wa seal new-key wa.key
  wa seal rotate 'redis://cache/0?seal=file:wa.key#bot'
  wa seal rotate 'redis://cache/0?seal=file:wa.key#bot' --to file:new.key

Both take the session's lease: stop the program that uses it, or let that program rotate
(wa_core.seal). What was interrupted goes on when it is run again. docs/sealing.md says more."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = "Make keys for sealed sessions and archives, and change those in use."
    actions = Actions(parser, _EXAMPLES)
    making = actions.add("new-key", "make a key: 32 random bytes, as a line of text")
    making.add_argument(
        "file", metavar="FILE", nargs="?", help="write it there, for nobody else to read"
    )
    changing = actions.add("rotate", "seal every record anew; with --to, change the outer key")
    add_url(changing, about="the session, with the seal= that opens it now")
    changing.add_argument(
        "--to",
        metavar="KEY",
        help="lock the data keys with this key from now on, and touch no record: env:NAME, "
        "file:PATH or keyring:SERVICE/NAME",
    )


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Do what was asked for."""
    if options.action == "new-key":
        return _new_key(options, screen)
    if options.to is not None:
        return await _rotate_outer(options, screen)
    return await _rotate_inner(options, screen)


def _new_key(options: argparse.Namespace, screen: Screen) -> int:
    key = new_key()
    if options.file is None:
        screen.show({"key": key}, [Line(key)])
        return DONE
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(options.file, flags, 0o600), "w", encoding="ascii") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    said = f"written: name it as file:{options.file}, and keep a copy where the store is not"
    screen.show({"file": options.file}, [Line(said, Tone.GOOD)])
    return DONE


async def _rotate_outer(options: argparse.Namespace, screen: Screen) -> int:
    source = KeySource.parse(options.to, name="--to")
    async with await open_engine(options.url) as engine:
        await rotate_key(engine, source)
    said = f"the data keys are locked with {options.to} now: write seal={options.to} in the URL"
    screen.show({"rotated": "key", "seal": options.to}, [Line(said, Tone.GOOD)])
    return DONE


async def _rotate_inner(options: argparse.Namespace, screen: Screen) -> int:
    with screen.busy("sealing anew") as say:

        def heard(progress: Progress) -> None:
            say(f"{progress.seen:,} of {progress.total:,} records")

        async with await open_engine(options.url) as engine:
            done = await rotate_data_key(engine, listener=heard)
    document = {
        "rotated": "data key",
        "generation": done.generation,
        "records": done.total,
        "resealed": done.resealed,
    }
    said = f"{count(done.resealed, 'record')} sealed anew; the old data key is forgotten"
    screen.show(document, [Line(said, Tone.GOOD)])
    return DONE
