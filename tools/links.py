"""Every relative link in the documentation, followed; `python -m tools.links` prints dead ones."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.workspace import ROOT

_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Check all Markdown files of the tree."""
    dead = [line for path in documents() for line in dead_links(path)]
    print(*dead, sep="\n", end="\n" if dead else "")
    print(f"links: {len(dead)} dead")
    return 1 if dead else 0


def documents() -> Iterator[Path]:
    """Walk the Markdown files."""
    for path in sorted(ROOT.rglob("*.md")):
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            yield path


def dead_links(path: Path) -> Iterator[str]:
    """Name the links of one document that lead to no file; code blocks hold none."""
    prose = _FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in _LINK.findall(prose):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        if not (path.parent / target.partition("#")[0]).exists():
            yield f"{path.relative_to(ROOT)}: {target} leads nowhere"


if __name__ == "__main__":
    sys.exit(main())
