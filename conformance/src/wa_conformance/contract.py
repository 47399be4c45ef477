"""The contract as a document: `python -m wa_conformance.contract --write docs/contract.md`.

The table in `wa_core.storage.clauses` is the source and this is its print; `--check` fails when
the print is old.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from wa_core.storage.clauses import CHAPTERS, CLAUSES, CONTRACT_VERSION, Level

_HEAD = f"""\
# The engine contract, version {CONTRACT_VERSION}

Written by `python -m wa_conformance.contract --write docs/contract.md` from
`wa_core.storage.clauses`; change it there.

An engine keeps the state of one session: keys to bytes, cascading deletes, newest-first lists. A
clause has its number for ever: clauses are added, never renumbered. An engine says which clauses it
claims; [wa-conformance](conformance.md) holds it to them, and expects it to refuse the rest
cleanly. How to write one: [write-your-own-engine.md](write-your-own-engine.md).

- **core** is what an engine that only gets, sets and lists can claim:
  {{core}}.
- **full** is the whole contract, save the layouts.
- **layout** is a way of keeping data that people already have; the engine that keeps it claims it,
  and the tests of its own package judge it.

`wa-conformance --list` names the checks that judge each clause.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or compare the document."""
    parser = argparse.ArgumentParser(description="Write the engine contract as Markdown.")
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--check", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    text = document()
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    elif options.check is not None:
        if options.check.read_text(encoding="utf-8") != text:
            print(f"{options.check} is old: python -m wa_conformance.contract --write it")
            return 1
    else:
        print(text, end="")
    return 0


def document() -> str:
    """Write the whole document."""
    core = ", ".join(clause.id for clause in CLAUSES if clause.level is Level.CORE)
    parts = [_HEAD.format(core="\n  ".join(wrap(core, width=96)))]
    for letter, title in CHAPTERS.items():
        clauses = [clause for clause in CLAUSES if clause.id.startswith(letter)]
        rows = [_entry(f"- **{found.id}** ({found.level}) {found.sentence}") for found in clauses]
        parts.append("\n".join([f"## {letter} · {title}", "", *rows, ""]))
    return "\n".join(parts)


def _entry(text: str) -> str:
    return "\n".join(wrap(text, width=98, subsequent_indent="  ", break_on_hyphens=False))


if __name__ == "__main__":
    sys.exit(main())
