"""The members of the workspace, read from the tree: a new folder under packages/ is a new member.

Nothing else here or in the noxfile names a package, so that adding one is adding its folder.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.targets import Target

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


@dataclass(frozen=True, slots=True)
class Member:
    """One distribution of the workspace, as its own pyproject.toml states it."""

    folder: Path
    dist: str
    import_name: str
    conformance_targets: tuple[Target, ...]
    distributed_targets: tuple[Target, ...]
    extras: tuple[str, ...]
    recipe: str
    """What an installation of it depends on: all that pyproject.toml says but `[tool.wa]`."""

    @property
    def pyproject(self) -> Path:
        """The file that makes the folder a member."""
        return self.folder / "pyproject.toml"

    @property
    def source(self) -> Path:
        """The folder of the importable code."""
        return self.folder / "src" / self.import_name

    @property
    def typed_folders(self) -> tuple[Path, ...]:
        """What mypy reads: the code and its tests."""
        return tuple(p for p in (self.folder / "src", self.folder / "tests") if p.is_dir())


def members() -> tuple[Member, ...]:
    """Find the members where the root pyproject.toml says that they are, in stable order."""
    workspace = _toml(ROOT / "pyproject.toml")["tool"]["uv"]["workspace"]
    files = {p for glob in workspace["members"] for p in ROOT.glob(f"{glob}/pyproject.toml")}
    return tuple(_member(path) for path in sorted(files))


def _member(path: Path) -> Member:
    data = _toml(path)
    dist = data["project"]["name"]
    ours = data["tool"].pop("wa", {})
    return Member(
        folder=path.parent,
        dist=dist,
        import_name=dist.replace("-", "_"),
        conformance_targets=tuple(map(Target, ours.get("conformance", ()))),
        distributed_targets=tuple(map(Target, ours.get("distributed", ()))),
        extras=tuple(data["project"].get("optional-dependencies", ())),
        recipe=json.dumps(data),
    )


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
