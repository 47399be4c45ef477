"""The kill matrix as text: what a reader of the documentation gets, and what `--check` compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wa_conformance.check import Check
from wa_conformance.zoo.trial import ENOUGH, Trial, is_machine, specimens

BEGIN = "<!-- kill matrix: begin -->"
END = "<!-- kill matrix: end -->"


@dataclass(frozen=True, slots=True)
class Matrix:
    """All trials of the broken ones, and the rules that they must meet."""

    checks: Sequence[Check]
    trials: Sequence[Trial]

    @property
    def clauses(self) -> dict[str, str]:
        """The clause of each check."""
        return {check.id: check.clause for check in self.checks}

    def at_large(self) -> list[Trial]:
        """List the specimens that no check of their own clause kills."""
        return [trial for trial in self.trials if not trial.of_its_clause(self.clauses)]

    def candidates(self, check: Check) -> list[str]:
        """List the specimens that only this check kills, as far as they were tried.

        A state machine tries everything, so that it overlaps with every example by nature: an
        example is compared with the other examples only, a machine with all of them.
        """
        machines = {other.id for other in self.checks if is_machine(other)}
        return [
            trial.name
            for trial in self.trials
            if check.id in trial.killed_by
            and not trial.complete
            and not set(trial.killed_by) - machines - {check.id}
        ]

    def survivors(self, check: Check) -> list[str]:
        """List the specimens that would live if this check were switched off."""
        machines = {other.id for other in self.checks if is_machine(other)}
        return [
            trial.name
            for trial in self.trials
            if check.id in trial.killed_by
            and trial.complete
            and not set(trial.killed_by) - machines - {check.id}
        ]

    def unneeded(self) -> list[Check]:
        """List the checks without which every specimen is still killed."""
        return [check for check in self.checks if not self.survivors(check)]

    def text(self) -> str:
        """Write the section of the documentation, markers included."""
        return "\n".join([BEGIN, "", *self._summary(), "", *self._rows(), "", *self._needs(), END])

    def _summary(self) -> list[str]:
        counts = f"{len(self.trials)} broken engines, {len(self.checks)} checks."
        return [
            f"{counts} A specimen meets the checks of its clause, then all quick ones,",
            f"until {ENOUGH} have failed. Whom a single example has killed meets the slow ones of",
            "its chapter as well; `--thorough` tries all.",
        ]

    def _rows(self) -> list[str]:
        docs = {name: _first_line(each) for name, each in specimens().items()}
        rows = ["| Specimen | What is wrong | Clause | Killed by | Also trips |"]
        rows.append("|---|---|---|---|---|")
        for trial in self.trials:
            own = trial.of_its_clause(self.clauses)
            others = [name for name in trial.killed_by if name not in own]
            rows.append(
                f"| {trial.name} | {docs[trial.name]} | {trial.clause} | {_ids(own)} "
                f"| {_ids(others)} |"
            )
        return rows

    def _needs(self) -> list[str]:
        unneeded = self.unneeded()
        needed = [check for check in self.checks if check not in unneeded]
        lines = ["### Who would escape", "", "With the check switched off, these would live."]
        lines += ["", "| Check | Survivors |", "|---|---|"]
        lines += [f"| `{each.id}` | {', '.join(self.survivors(each))} |" for each in needed]
        lines += ["", "### Needed by no specimen", ""]
        lines += [f"- `{each.id}`: {each.sentence}" for each in unneeded] or ["None."]
        return [*lines, ""]


def section_of(text: str) -> str | None:
    """Cut the generated section out of a document; None when there is none."""
    begin, end = text.find(BEGIN), text.find(END)
    return text[begin : end + len(END)] if 0 <= begin < end else None


def written(path: Path, section: str) -> None:
    """Put the section into a document, in the place of the old one or at its end."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    old = section_of(text)
    whole = (
        f"{text.rstrip()}\n\n{section}\n".lstrip() if old is None else text.replace(old, section)
    )
    path.write_text(whole, encoding="utf-8")


def _first_line(specimen: type) -> str:
    sentence = (specimen.__doc__ or "").strip().partition("\n")[0]
    return sentence.replace("|", "\\|").rstrip(".")


def _ids(names: Sequence[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)
