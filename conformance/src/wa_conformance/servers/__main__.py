"""`python -m wa_conformance.servers`: start servers, run a command on their URLs, stop them."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from types import FrameType

from wa_conformance.servers.errors import ServerError, ServerNotFoundError
from wa_conformance.servers.kinds import KINDS, make

NOT_FOUND = 69
FAILED = 70

EPILOG = """\
In COMMAND, {url} is the URL of the first server and {KIND} that of each:

  python -m wa_conformance.servers redis-7 -- wa-conformance {url} --profile quick
  python -m wa_conformance.servers redis-7 postgres -- my-copy {redis-7} {postgres}

Without COMMAND the URLs are printed and the servers run until Ctrl-C. The exit status is that of
COMMAND; 69: a server is not installed (the message says what helps); 70: one did not start.
A server that WA_TEST_REDIS_URL, WA_TEST_REDIS_CLUSTER_URL, WA_TEST_MONGO_URL, WA_TEST_POSTGRES_URL
or WA_TEST_MYSQL_URL names is used instead of one of our own.
"""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says, and return the exit status."""
    ours, command = _split(arguments)
    parser = argparse.ArgumentParser(
        prog="python -m wa_conformance.servers",
        usage="%(prog)s [--list] KIND [KIND ...] [-- COMMAND ...]",
        description="Start real servers on private loopback ports, run COMMAND, stop them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--list", action="store_true", help="show what this machine has")
    asked = parser.parse_args(ours)
    if asked.list:
        return listing(asked.kinds or list(KINDS))
    if not asked.kinds or not set(asked.kinds) <= set(KINDS):
        parser.error(f"which server? There are {', '.join(KINDS)}")
    signal.signal(signal.SIGTERM, _end)
    try:
        return run(asked.kinds, command)
    except ServerError as exc:
        print(exc, file=sys.stderr)
        return NOT_FOUND if isinstance(exc, ServerNotFoundError) else FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def run(kinds: Sequence[str], command: Sequence[str]) -> int:
    """Start the servers, run the command on them, and return its exit status."""
    with ExitStack() as stack:
        urls = {kind: stack.enter_context(make(kind)).url for kind in kinds}
        if not command:
            for kind, url in urls.items():
                print(f"{kind} {url}", flush=True)
            signal.pause()
        for kind, url in {"url": urls[kinds[0]], **urls}.items():
            command = [filled(word, kind, url) for word in command]
        code = subprocess.run(command, check=False).returncode
        return code if code >= 0 else 128 - code


def filled(word: str, kind: str, url: str) -> str:
    """Put a URL where `{kind}` stands; parameters behind it are added to those that it has."""
    blank = f"{{{kind}}}"
    if "?" in url:
        word = word.replace(f"{blank}?", f"{url}&")
    return word.replace(blank, url)


def listing(kinds: Sequence[str]) -> int:
    """Print each kind with its version, or with what to install; tell whether all are there."""
    missing = 0
    for kind in kinds:
        try:
            server = make(kind)
        except ServerNotFoundError as exc:
            missing += 1
            print(f"{kind:<14} {exc}")
            continue
        print(f"{kind:<14} {server.origin}")
        server.stop()
    return NOT_FOUND if missing else 0


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
