"""The arrows, checked: inside wa_core as pyproject.toml draws them, and between the packages.

The contracts between packages follow from the tree, so a new engine is held to them unasked: an
engine, and the suite that judges engines, import `wa_core.storage` and `wa_core.errors` alone;
nothing imports an engine, and nothing shipped imports the suite, but an engine's `conformance`
module, which the suite alone loads.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping

from tools.workspace import ROOT, Member, members

CORE = "wa_core"
JUDGE = "wa_conformance"
OPEN_TO_ENGINES = frozenset({"storage", "errors"})
JUDGE = "wa_conformance"
HOOKS = "conformance"
"""The module of an engine in which its hooks are; it may start the suite's servers."""

Contract = Mapping[str, str | list[str]]


def main() -> int:
    """Write the whole configuration for import-linter, and run it."""
    present = [member for member in members() if (member.source / "__init__.py").exists()]
    config = configparser.ConfigParser()
    roots = [member.import_name for member in present]
    config["importlinter"] = {"root_packages": lines(roots), "include_external_packages": "False"}
    for number, contract in enumerate((*drawn_contracts(), *package_contracts(present))):
        config[f"importlinter:contract:{number}"] = {k: lines(v) for k, v in contract.items()}
    path = ROOT / ".nox" / "importlinter.ini"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    command = ["lint-imports", "--no-logo", "--no-cache", "--config", str(path)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def drawn_contracts() -> Iterable[Contract]:
    """Read the contracts that the root pyproject.toml spells out."""
    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[Contract] = root["tool"]["importlinter"]["contracts"]
    return contracts


def package_contracts(present: Iterable[Member]) -> Iterator[Contract]:
    """Derive the contracts between the packages from the tree."""
    roots = {member.import_name: member for member in present}
    outsiders = sorted(name for name in roots if name != CORE)
    closed = sorted(set(children(roots[CORE])) - OPEN_TO_ENGINES)
    if outsiders and closed:
        yield {
            "name": "Engines and their judge see wa_core.storage and wa_core.errors alone",
            "type": "forbidden",
            "source_modules": outsiders,
            "forbidden_modules": [f"{CORE}.{name}" for name in closed],
        }
    for outsider in outsiders:
        yield {
            "name": f"Nothing imports {outsider}",
            "type": "forbidden",
            "source_modules": sorted(name for name in roots if name != outsider),
            "forbidden_modules": [outsider],
            # A wildcard is one name: an engine's own module, and no other of its modules.
            "ignore_imports": [f"*.{HOOKS} -> {JUDGE}.**"] if outsider == JUDGE else [],
            "unmatched_ignore_imports_alerting": "none",
        }


def children(member: Member) -> Iterator[str]:
    """Name the modules and packages right below a member's top."""
    for path in member.source.iterdir():
        if path.suffix == ".py" and path.stem != "__init__":
            yield path.stem
        elif (path / "__init__.py").exists():
            yield path.name


def lines(value: object) -> str:
    """Spell a value as an INI file spells it."""
    return "\n" + "\n".join(map(str, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())
