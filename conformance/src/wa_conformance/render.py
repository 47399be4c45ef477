"""The report for other eyes: JUnit for CI servers, Markdown for pull requests, text for people."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from textwrap import indent

from wa_core.storage.clauses import BY_ID

from wa_conformance.judge import Outcome
from wa_conformance.report import Report
from wa_conformance.subject import Status

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(report: Report) -> str:
    """Write JUnit XML: a test suite with one test case per check."""
    bad = len(report.of(Status.FAILED, Status.NOT_RUN))
    suite = ET.Element(
        "testsuite",
        name=f"wa-conformance {report.target}",
        tests=str(len(report.outcomes)),
        failures=str(bad + (1 if report.complaint and not bad else 0)),
        errors="0",
        skipped=str(report.count(Status.NOT_CLAIMED)),
        time=f"{report.seconds:.3f}",
        timestamp=report.started_at,
    )
    for outcome in report.outcomes:
        _add_case(suite, outcome)
    if report.complaint and not bad:
        case = ET.SubElement(suite, "testcase", classname="run", name="complete", time="0")
        ET.SubElement(case, "failure", message=report.complaint)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ET.Element, outcome: Outcome) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=outcome.clause,
        name=outcome.id,
        time=f"{outcome.seconds:.3f}",
    )
    message = _NOT_XML.sub("\ufffd", outcome.message)
    if outcome.status is Status.NOT_CLAIMED:
        ET.SubElement(case, "skipped", message=message)
    elif outcome.status is not Status.PASSED:
        found = ET.SubElement(case, "failure", type=str(outcome.status), message=message)
        found.text = _NOT_XML.sub("\ufffd", "\n\n".join(_told(outcome)))


def to_markdown(report: Report) -> str:
    """Write Markdown: the verdict, the chapters, and each failure with its program."""
    verdict = "passes" if report.exit_code == 0 else "does not pass"
    engine = f"`{report.engine}`"
    if report.package:
        engine += f" ({report.package} {report.package_version})"
    rows = [f"| {head} | {_cells(words)} |" for head, words in report.chapters()]
    parts = [
        f"# `{report.target}` {verdict} the engine contract, version {report.contract}",
        f"{engine}, judged by wa-conformance {report.suite}, profile {report.profile}, "
        f"seed {report.seed}: {report.verdict}.",
        "\n".join(
            [
                "| chapter | " + " | ".join(Status) + " |",
                "|---|" + "---:|" * len(Status),
                *rows,
            ]
        ),
    ]
    if report.complaint:
        parts.append(f"**{report.complaint}**")
    for outcome in report.of(Status.FAILED, Status.NOT_RUN):
        parts.append(f"## {outcome.id}: {outcome.status}")
        parts.append(f"> {outcome.clause}: {BY_ID[outcome.clause].sentence}")
        parts.append(f"```\n{outcome.message}\n```")
        if outcome.snippet:
            parts.append(f"```python\n{outcome.snippet}```")
    return "\n\n".join(parts) + "\n"


def to_text(report: Report) -> str:
    """Write what the command line prints at the end."""
    blocks = ["\n".join(_failure(o)) for o in report.of(Status.FAILED, Status.NOT_RUN)]
    notes = [f"note, {o.id}: {note}" for o in report.outcomes for note in o.notes]
    if notes:
        blocks.append("\n".join(notes))
    blocks.append("\n".join(_table(report)))
    last = [report.complaint] if report.complaint else []
    blocks.append("\n".join([*last, report.verdict]))
    return "\n\n".join(blocks) + "\n"


def _table(report: Report) -> Iterator[str]:
    heads = [str(status) for status in Status]
    yield f"  {'chapter':<32}" + "".join(f"{head:>13}" for head in heads)
    for title, words in report.chapters():
        yield f"  {title:<32}" + "".join(f"{words[status]:>13}" for status in Status)


def _failure(outcome: Outcome) -> Iterator[str]:
    yield f"== {outcome.id}: {outcome.status}"
    for part in _told(outcome):
        yield indent(part.rstrip("\n"), "   ")
        yield ""


def _told(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.clause}: {BY_ID[outcome.clause].sentence}"
    if outcome.sentence != BY_ID[outcome.clause].sentence:
        yield f"The check: {outcome.sentence}"
    yield outcome.message
    if outcome.snippet:
        yield "To see it fail by itself:\n\n" + outcome.snippet


def _cells(words: dict[Status, int]) -> str:
    return " | ".join(str(words[status]) for status in Status)
