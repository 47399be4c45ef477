"""What failed, once more at the end: whoever sees only the last page of a log needs no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

SHOWN = 10
LINES = 14
LINE_CHARS = 200


def print_failures(report: Path, red: list[str]) -> None:
    """Print each failed case of the JUnit files, and the end of what each red session said."""
    told = [*_cases(report), *_sessions(report, red)]
    if told:
        print("\nWhat failed")
    for title, text in told[:SHOWN]:
        print(f"  {title}")
        print(*(f"    {line[:LINE_CHARS]}" for line in _end(text)), sep="\n")
    if len(told) > SHOWN:
        print(f"  and {len(told) - SHOWN} more")


def _cases(report: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(report.glob("*.xml")):
        for case in ElementTree.parse(path).iter("testcase"):
            for kind in ("failure", "error"):
                found = case.find(kind)
                if found is not None:
                    name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
                    yield f"{path.stem}: {name}", found.text or found.get("message") or ""


def _sessions(report: Path, red: list[str]) -> Iterator[tuple[str, str]]:
    for name in red:
        path = report / f"{log_stem(name)}.log"
        if path.exists():
            yield name, path.read_text(encoding="utf-8", errors="replace")


def _end(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][-LINES:]


def log_stem(session: str) -> str:
    """Name the file in which a session's output is kept."""
    return "said-" + "".join(
        letter if letter.isalnum() or letter in "._-" else "-" for letter in session
    )
