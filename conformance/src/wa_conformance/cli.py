"""The command `wa-conformance`: from arguments to a run, from a report to an exit code.

0: all that is claimed passed. 1: something failed or was not run. 2: the command was wrong, or the
target could not be opened. 130: interrupted.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from wa_core.errors import WaError

from wa_conformance.check import all_checks
from wa_conformance.judge import Outcome
from wa_conformance.profile import PROFILES
from wa_conformance.render import to_junit, to_markdown, to_text
from wa_conformance.report import Report
from wa_conformance.runner import Listener, SelectionError, chosen, run
from wa_conformance.subject import Status, Subject
from wa_conformance.target import TargetError, parse_target
from wa_conformance.version import VERSION

USAGE_ERROR = 2

EXAMPLES = """\
TARGET is one of
  an engine URL            memory:   file:DIR   redis://HOST/0
                           the suite makes sessions of its own there, named conf-..., and empties
                           them afterwards; it touches no other session
  a factory in Python      package.module:factory    called with a session's name
  a program                stdio:COMMAND             any language, JSON lines (docs/stdio.md)

examples
  wa-conformance memory:
  wa-conformance file:/tmp/store --profile full --junit report.xml
  wa-conformance acme.engine:AcmeEngine --claim core
  wa-conformance "stdio:node docs/engine.js"
  wa-conformance memory: --only O2 --only C1.sibling-prefix-is-spared --seed 7

Every check ends in one of four words. passed and failed explain themselves; not claimed: the engine
does not promise that clause; not run: it does, but the target lacks what the check needs, and that
is a failure. How to write an engine, from an empty file: docs/write-your-own-engine.md.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the console script exits with what it returns."""
    options = _parser().parse_args(arguments)
    try:
        if options.list:
            return _list_checks(options)
        if options.target is None:
            raise TargetError("give a TARGET, as in: wa-conformance memory:")
        return _judge(options)
    except (TargetError, SelectionError, WaError, OSError) as exc:
        print(f"wa-conformance: {exc}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130


def _judge(options: argparse.Namespace) -> int:
    if not __debug__:
        raise TargetError("python -O removes the assertions that checks are made of")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    subject = Subject.of(parse_target(options.target), claim=options.claim)
    package = " ".join(subject.package)
    print(f"wa-conformance {VERSION}: {subject.target.shown}, {subject.engine} {package}".rstrip())
    print(f"profile {options.profile}, seed {seed}", flush=True)
    report = run(
        subject,
        profile=PROFILES[options.profile],
        seed=seed,
        only=options.only,
        without=options.without,
        claim=options.claim,
        listener=progress(sys.stdout),
    )
    print(f"\n{to_text(report)}", end="")
    _write(report, options)
    return report.exit_code


def _write(report: Report, options: argparse.Namespace) -> None:
    forms = ((options.json, Report.to_json), (options.junit, to_junit), (options.md, to_markdown))
    for path, form in forms:
        if path is not None:
            path.write_text(form(report), encoding="utf-8")


def progress(stream: TextIO) -> Listener:
    """Show where the run is: one line that moves on a terminal, a line per check elsewhere."""

    def in_place(outcome: Outcome, place: int, total: int) -> None:
        stream.write(f"\r\x1b[2K[{place}/{total}] {outcome.id[:60]}")
        if outcome.status in (Status.FAILED, Status.NOT_RUN):
            stream.write(f"\r\x1b[2K{outcome.status}: {outcome.id}\n")
        if place == total:
            stream.write("\r\x1b[2K")
        stream.flush()

    def in_lines(outcome: Outcome, place: int, total: int) -> None:
        reason = f"  ({outcome.message})" if outcome.status is Status.NOT_CLAIMED else ""
        stream.write(f"{outcome.status!s:<11}  {outcome.seconds:7.2f} s  {outcome.id}{reason}\n")
        stream.flush()

    return in_place if stream.isatty() else in_lines


def _list_checks(options: argparse.Namespace) -> int:
    for check in chosen(all_checks(), only=options.only, without=options.without):
        print(f"{check.id}\n    {check.sentence}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wa-conformance",
        description="Judge a storage engine by the engine contract, clause by clause.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET", help="what to judge, see below")
    add(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="how much is tried: seconds, minutes, hours (default: quick)",
    )
    add(
        "--claim",
        choices=("core", "full"),
        help="judge by this level, whatever the engine itself claims",
    )
    add("--seed", type=int, help="the dice of an earlier run (default: new ones, printed)")
    add(
        "--only",
        action="append",
        default=[],
        metavar="WHAT",
        help="a check's id, a clause (O2) or a chapter (O); may be given again",
    )
    add(
        "--without",
        action="append",
        default=[],
        metavar="WHAT",
        help="leave out a check, a clause or a chapter; may be given again",
    )
    add("--json", type=Path, metavar="FILE", help="write the whole report for programs")
    add("--junit", type=Path, metavar="FILE", help="write JUnit XML for a CI server")
    add("--md", type=Path, metavar="FILE", help="write Markdown for a pull request")
    add("--list", action="store_true", help="name the checks and stop")
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
