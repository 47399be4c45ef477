"""The command `wa-migrate`: from arguments to a migration, from its end to an exit code."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Any

from wa_core.cli.arguments import for_abandon, for_check, for_move
from wa_core.cli.exits import DIFFERENT, DONE, SEVERAL, USAGE, code_of
from wa_core.cli.meter import JsonLines, Meter
from wa_core.cli.secretsfile import take_secrets
from wa_core.cli.signals import StoppedError, interruptible
from wa_core.errors import UsageError, WaError, masked
from wa_core.migrate import NOTHING, Mark, Report, abandon, check, copy, copy_all, pairs_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the console script exits with what it returns."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, command = for_move, _move
    if words[:1] == ["check"]:
        parser, command = for_check, _check
    elif words[:1] == ["abandon"]:
        parser, command = for_abandon, _abandon
    options = parser().parse_args(words if command is _move else words[1:])
    screen = _Screen(options)
    try:
        take_secrets(options.secrets, os.environ)
        return asyncio.run(interruptible(command(options, screen)))
    except StoppedError as exc:
        screen.say("interrupted", "interrupted: both sides are sound. Run the same command again")
        return exc.code
    except WaError as exc:
        screen.fail(exc)
        return code_of(exc)
    except OSError as exc:
        print(f"wa-migrate: {type(exc).__name__}: {exc.strerror}", file=sys.stderr)
        return USAGE
    finally:
        screen.listener.finish()


class _Screen:
    """Where results and progress go: lines for people, or JSON lines for programs."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._json = JsonLines(sys.stdout) if options.json else None
        self.listener: JsonLines | Meter = self._json or Meter(sys.stderr)

    def say(self, event: str, text: str, **facts: Any) -> None:
        """Print one result."""
        if self._json:
            self._json.tell(event, **facts)
        else:
            self.listener.finish()
            print(text, flush=True)

    def fail(self, error: WaError, **facts: Any) -> None:
        """Print what went wrong."""
        if self._json:
            about = {"code": error.code, "message": str(error), "retryable": error.retryable}
            self._json.tell("error", **about, **facts)
        else:
            self.listener.finish()
            print(f"wa-migrate: {error}", file=sys.stderr)


async def _move(options: argparse.Namespace, screen: _Screen) -> int:
    switches = {
        "only": options.only,
        "on_conflict": options.on_conflict,
        "keep_source": options.keep_source,
        "takeover": options.takeover,
        "force": options.force,
        "dry_run": options.dry_run,
        "patience_s": options.wait,
        "lease_s": options.lease,
        "listener": screen.listener,
    }
    if not options.all_sessions:
        if options.rename:
            raise UsageError("--rename goes with --all-sessions; else name the session in --to")
        _tell(await copy(options.source, options.target, **switches), screen)
        return DONE
    renamed = dict(_renaming(pair) for pair in options.rename)
    pairs = await pairs_of(options.source, options.target, renamed)
    failed = 0
    async for outcome in copy_all(pairs, **switches):
        if outcome.report is not None:
            _tell(outcome.report, screen, session=outcome.pair.name)
        elif outcome.error is not None:
            failed += 1
            screen.say("session", masked(f"session {outcome.pair.name!r} failed:"))
            screen.fail(outcome.error, session=outcome.pair.name)
    screen.say("summary", f"{len(pairs) - failed} of {len(pairs)} sessions are done", failed=failed)
    return SEVERAL if failed else DONE


def _renaming(pair: str) -> tuple[str, str]:
    old, sign, new = pair.partition("=")
    if not sign or not new:
        raise UsageError(f"--rename takes OLD=NEW, not {pair!r}")
    return old, new


def _tell(report: Report, screen: _Screen, **facts: Any) -> None:
    screen.say("report", sentence(report), **report.to_dict(), **facts)


def sentence(report: Report) -> str:
    """Tell what came of a migration."""
    lines = [f"{report.outcome}: {report.source} -> {report.target}"]
    counted = [
        f"{number:,} {what}"
        for number, what in (
            (report.records, "records"),
            (report.copied, "copied"),
            (report.present, "there already"),
            (report.skipped, "left to the target"),
            (report.pruned, "removed from the target"),
            (report.removed, "removed from the source"),
        )
        if number
    ]
    lines.append(f"  {', '.join(counted) or 'nothing was left to do'}; {report.seconds:.1f} s")
    if report.digest:
        lines.append(f"  equal on both sides, SHA-256 over all: {report.digest}")
    if report.kept:
        lines.append("  the source keeps a copy, which refuses to open without force")
    lines += [f"  note: {warning}" for warning in report.warnings]
    return "\n".join(lines)


async def _abandon(options: argparse.Namespace, screen: _Screen) -> int:
    async def run(*, dry_run: bool) -> Report:
        report = await abandon(
            options.source,
            options.target,
            source_lost=options.source_lost,
            dry_run=dry_run,
            patience_s=options.wait,
            lease_s=options.lease,
            listener=screen.listener,
        )
        _tell(report, screen)
        return report

    if not options.yes or options.dry_run:
        would = await run(dry_run=True)
        if options.dry_run or would.outcome == NOTHING:
            return DONE
        if not await _agreed(options):
            return DIFFERENT
    await run(dry_run=False)
    return DONE


async def _agreed(options: argparse.Namespace) -> bool:
    """Ask whoever sits at the terminal; a signal ends the waiting."""
    if options.json or not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: say --yes")
    print("Do that? Type yes: ", end="", file=sys.stderr, flush=True)
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline().strip() == "yes"


async def _check(options: argparse.Namespace, screen: _Screen) -> int:
    def tell(mark: Mark, key: str) -> None:
        if mark is not Mark.EQUAL or not options.differences:
            shown = key if options.full_keys else masked(key)
            screen.say("record", f"{mark} {shown}", mark=mark, key=shown)

    found = await check(
        options.source,
        options.target,
        only=options.only,
        quick=options.quick,
        tell=tell,
        listener=screen.listener,
    )
    numbers = {mark.name.lower(): found.counts[mark] for mark in Mark}
    words = ", ".join(f"{mark} {found.counts[mark]:,}" for mark in Mark)
    verdict = "equal" if found.is_equal else "DIFFERENT"
    also = "positions too" if found.positions else "positions not compared"
    depth = "numbers and credentials only" if options.quick else also
    screen.say("summary", f"{verdict}: {words} ({depth})", is_equal=found.is_equal, **numbers)
    return DONE if found.is_equal else DIFFERENT


if __name__ == "__main__":
    sys.exit(main())
