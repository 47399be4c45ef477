"""The command of the trials: `python -m wa_conformance.trials TRIAL TARGET --times N --seed S`.

A target is the name of a server kind, which is then started, or whatever `wa-conformance` takes.
Exit codes are those of `wa-conformance`: 0 all runs passed, 1 a violation, 2 the command was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wa_core.errors import WaError

from wa_conformance.processes import ChildError
from wa_conformance.servers import KINDS, Server, ServerError, make
from wa_conformance.target import Target, TargetError, parse_target
from wa_conformance.trials.door import UrlDoor
from wa_conformance.trials.failover import TrialError, try_failover
from wa_conformance.trials.herd import HERDS, PARAMETERS, herd_of
from wa_conformance.trials.kills import try_kills
from wa_conformance.trials.leases import try_leases
from wa_conformance.trials.network import try_network
from wa_conformance.trials.tally import summary
from wa_conformance.violation import Violation

TRIALS = {
    "network": (200, "a proxy that drops, delays, resets and repeats; TARGET: a kind or a URL"),
    "kills": (40, "kill -9 of the server between acknowledgements; TARGET: a kind"),
    "leases": (50, "eight processes, one lease, one of them stopped; TARGET: a kind or a target"),
    "failover": (3, f"kill -9 of the leader; TARGET: {' or '.join(HERDS)}"),
}
USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one trial; the exit code says how it ended."""
    options = _parser().parse_args(arguments)
    times = options.times or TRIALS[options.trial][0]
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f"{options.trial} on {_shown(options.target)}, {times} times, seed {seed}", flush=True)
    try:
        with _server(options.trial, options.target) as server:
            tally = asyncio.run(_run(options, server, times=times, seed=seed))
    except Violation as exc:
        print(f"VIOLATION [{exc.clause}: {exc.sentence}]", exc, *_notes(exc), sep="\n  ")
        return 1
    except (TargetError, TrialError, ChildError, ServerError, WaError, OSError) as exc:
        print(f"trials: {type(exc).__name__}: {exc}", *_notes(exc), sep="\n  ", file=sys.stderr)
        return USAGE_ERROR
    print(f"passed: {summary(tally)}")
    return 0


async def _run(
    options: argparse.Namespace, server: Server | None, *, times: int, seed: int
) -> Counter[str]:
    text = options.target if server is None else server.url
    only = options.only
    if options.trial == "network":
        return await try_network(UrlDoor(text), times=times, seed=seed, only=only)
    target: Target = parse_target(text)
    if options.trial == "leases":
        return await try_leases(target, times=times, seed=seed, only=only)
    if server is None:
        raise TargetError(f"{options.trial} needs a server that may die: {', '.join(KINDS)}")
    if options.trial == "kills":
        return await try_kills(target, server, times=times, seed=seed, only=only)
    params = PARAMETERS.get(options.target)
    herd = herd_of(server)
    return await try_failover(target, herd, times=times, seed=seed, only=only, params=params)


@contextmanager
def _server(trial: str, target: str) -> Iterator[Server | None]:
    """Start the server that a target names, if it names one."""
    if trial == "failover" and target not in HERDS:
        raise TargetError(f"these fail over: {', '.join(HERDS)}")
    if target not in KINDS:
        yield None
        return
    with HERDS[target]() if trial == "failover" else make(target) as server:
        yield server


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _shown(target: str) -> str:
    return target if target in KINDS else parse_target(target).shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wa_conformance.trials",
        description="Break what stands around an engine, and look what it kept.",
        epilog="\n".join(f"{name:10} {text}" for name, (_, text) in TRIALS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("trial", choices=TRIALS)
    add("target", metavar="TARGET", help=f"a server kind ({', '.join(KINDS)}) or a target")
    add("--times", type=int, help="how many runs (default: what the house demands)")
    add("--seed", type=int, help="the dice of an earlier run (default: new ones, printed)")
    add("--only", type=int, metavar="N", help="of these runs the one of this number alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
