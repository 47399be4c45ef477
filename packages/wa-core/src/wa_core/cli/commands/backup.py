"""`wa backup create|verify|list|restore`: archives of sessions, taken, proven and brought back."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from wa_core.archive import Proof
from wa_core.archive.shelf import Listed
from wa_core.backup import (
    REWIND,
    REWIND_BREAKS,
    create,
    list_backups,
    restore,
    verify,
)
from wa_core.cli.blocks import Block, Cell, Facts, Line, Table, Tone, cells, columns
from wa_core.cli.command import Actions, add_full_keys
from wa_core.cli.exits import DONE, code_of
from wa_core.cli.screen import Say, Screen
from wa_core.cli.spelling import count, size
from wa_core.errors import UsageError, masked
from wa_core.migrate import OnConflict, Progress, Report

_EXAMPLES = """\
examples
  wa backup create redis://cache/0#bot 'archive:/backups/?key=env:WA_BACKUP_KEY' --keep 7
  wa backup list 'archive:/backups/?key=env:WA_BACKUP_KEY' --verify
  wa backup restore 'archive:/backups/FILE?key=env:WA_BACKUP_KEY' sqlite:wa.db#bot

The key is 32 random bytes (`wa seal new-key`) or a passphrase, and is kept where the word says:
env:NAME, file:PATH or keyring:SERVICE/NAME. Without it an archive is of no use to anybody."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Backups of sessions: one sealed file each, taken while the session is used, as it was at "
        "one moment. A restore is no rewind: ratchets stay behind, unless the archive is proven to "
        "be the last state of its session."
    )
    actions = Actions(parser, _EXAMPLES)
    taking = actions.add("create", "take a backup of a session, and prove it from the disk")
    taking.add_argument("source", metavar="URL", help="the session")
    taking.add_argument("archive", metavar="ARCHIVE", help="archive:FILE?key=... or a folder/")
    taking.add_argument("--keep", type=int, metavar="N", help="in a folder: keep the newest N")
    proving = actions.add("verify", "read an archive whole, and say whether it is sound")
    proving.add_argument("archive", metavar="ARCHIVE", help="archive:FILE?key=...")
    listing = actions.add("list", "the archives of a folder, newest first")
    listing.add_argument("archive", metavar="ARCHIVE", help="archive:FOLDER/?key=...")
    listing.add_argument("--verify", action="store_true", help="read each of them whole")
    add_full_keys(listing)
    returning = actions.add("restore", "bring a session back, and prove that it arrived")
    returning.add_argument("archive", metavar="ARCHIVE", help="archive:FILE?key=...")
    returning.add_argument("target", metavar="URL", help="where the session shall be")
    returning.add_argument(
        "--with-ratchets",
        action="store_true",
        help="ratchets and pre-keys, too, of an archive that is not the last state of its session; "
        "says what breaks, and asks for words",
    )
    returning.add_argument(
        "--on-conflict",
        type=OnConflict,
        choices=list(OnConflict),
        default=OnConflict.REFUSE,
        help="what to do about other records in the target (default: refuse)",
    )
    returning.add_argument("--dry-run", action="store_true", help="write nothing, and tell")


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Do what was asked for."""
    return await _ACTIONS[options.action](options, screen)


async def _create(options: argparse.Namespace, screen: Screen) -> int:
    with screen.busy("backup") as say:
        proof = await create(
            options.source, options.archive, keep=options.keep, listener=_listener(say)
        )
    screen.show(described(proof), rendered_proof(proof, "taken, and proven from the disk"))
    return DONE


async def _verify(options: argparse.Namespace, screen: Screen) -> int:
    with screen.busy("archive") as say:
        proof = await verify(options.archive, listener=_listener(say))
    screen.show(described(proof), rendered_proof(proof, "sound from its first byte to its last"))
    return DONE


async def _list(options: argparse.Namespace, screen: Screen) -> int:
    with screen.busy("archives") as say:
        say("reading")
        found = await list_backups(options.archive, verify=options.verify)
    document = {"backups": [_listed(each, options.full_keys) for each in found]}
    screen.show(document, rendered_list(found, full=options.full_keys))
    broken = next((each.error for each in found if each.error is not None), None)
    return DONE if broken is None else code_of(broken)


async def _restore(options: argparse.Namespace, screen: Screen) -> int:
    rewind = _asked_to_rewind(screen) if options.with_ratchets and not options.dry_run else ""
    with screen.busy("restore") as say:
        report = await restore(
            options.archive,
            options.target,
            rewind=rewind or (REWIND if options.with_ratchets else ""),
            on_conflict=options.on_conflict,
            dry_run=options.dry_run,
            listener=_listener(say),
        )
    screen.show(report.to_dict(), rendered_report(report))
    return DONE


_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Screen], Awaitable[int]]] = {
    "create": _create,
    "verify": _verify,
    "list": _list,
    "restore": _restore,
}


def _asked_to_rewind(screen: Screen) -> str:
    """Say what a rewind breaks, and return the words that were typed; the library judges them."""
    answer = screen.ask(f"{REWIND_BREAKS}\nType {REWIND!r} to do it: ")
    if answer is None:
        raise UsageError("--with-ratchets has to be agreed to at a terminal, in words")
    if answer != REWIND:
        raise UsageError("the words are others: nothing was restored")
    return answer


def _listener(say: Say) -> Callable[[Progress], None]:
    def heard(progress: Progress) -> None:
        of = f" of {progress.total:,}" if progress.total else ""
        say(f"{progress.phase}, {progress.done:,}{of} records {progress.note}".rstrip())

    return heard


def described(proof: Proof) -> dict[str, Any]:
    """Describe a proven archive for a program."""
    return {
        "path": proof.path,
        "session": masked(proof.about.session),
        "source": masked(proof.about.source),
        "taken_at_us": proof.about.taken_at,
        "last_state": proof.about.last_state,
        "records": proof.records,
        "bytes": proof.size,
        "file_bytes": proof.file_size,
        "sha256": proof.digest,
    }


def rendered_proof(proof: Proof, verdict: str) -> list[Block]:
    """Lay a proven archive out."""
    facts = [
        ("archive", Cell(proof.path)),
        ("of", Cell(masked(proof.about.source))),
        ("taken", Cell(_moment(proof.about.taken_at))),
        ("holds", Cell(f"{count(proof.records, 'record')}, {size(proof.size)}")),
        ("file", Cell(size(proof.file_size))),
        ("SHA-256", Cell(proof.digest)),
        ("restores", Cell(_restores(last_state=proof.about.last_state))),
    ]
    return [Facts(facts), Line(verdict, Tone.GOOD)]


def _restores(*, last_state: bool) -> str:
    return "whole: it is the last state" if last_state else "without ratchets: no rewind"


def _listed(each: Listed, full: bool) -> dict[str, Any]:
    about = each.about
    return {
        "path": each.path if full else masked(each.path),
        "session": about and (about.session if full else masked(about.session)),
        "taken_at_us": about and about.taken_at,
        "last_state": about and about.last_state,
        "records": each.records,
        "file_bytes": each.file_size,
        "verified": each.verified,
        "moved": each.moved,
        "error": each.error and {"code": each.error.code, "message": str(each.error)},
    }


def rendered_list(found: list[Listed], *, full: bool) -> list[Block]:
    """Lay a folder of archives out."""
    if not found:
        return [Line("no archive is here")]
    head = columns("taken|session|>records|>file|restores|sound|name")
    return [Table(head, [_row(each, full) for each in found])]


def _row(each: Listed, full: bool) -> tuple[Cell, ...]:
    name = each.path.rpartition("/")[2]
    shown = name if full else masked(name)
    if each.about is None:
        return cells("", "", "", size(each.file_size), "", Cell(str(each.error), Tone.BAD), shown)
    if each.error is not None:
        sound = Cell(str(each.error), Tone.BAD)
    elif each.verified:
        sound = Cell("yes, read whole", Tone.GOOD)
    else:
        sound = Cell("both ends are: --verify", Tone.FAINT)
    session = each.about.session or "(the place itself)"
    return cells(
        _moment(each.about.taken_at),
        session if full else masked(session),
        f"{each.records:,}",
        size(each.file_size),
        "moved away from here" if each.moved else _restores(last_state=each.about.last_state),
        sound,
        shown,
    )


def rendered_report(report: Report) -> list[Block]:
    """Say what came of a restore."""
    lines = [f"{report.outcome}: {report.source} -> {report.target}"]
    lines.append(f"  {count(report.records, 'record')}, {size(report.size)}")
    if report.digest:
        lines.append(f"  equal on both sides, SHA-256 over all: {report.digest}")
    lines += [f"  note: {warning}" for warning in report.warnings]
    return [Line("\n".join(lines))]


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
