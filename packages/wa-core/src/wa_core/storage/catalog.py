"""What is installed and what could be: a line for each URL scheme.

To know what an engine promises its package is loaded, and what does not load is told as that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wa_core.errors import StorageError
from wa_core.storage.capabilities import Capabilities
from wa_core.storage.clauses import FULL
from wa_core.storage.registry import PACKAGES, installed_schemes, origin_of, provider_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One URL scheme: who offers it, and what its engines promise at best."""

    scheme: str
    package: str
    version: str | None = None
    """Of the installed package; None where it is not installed."""
    best: Capabilities | None = None
    """Where the backend is set up for the most; None where only an open engine can tell."""
    flaw: str = ""
    """Why an installed engine cannot be used."""

    @property
    def is_usable(self) -> bool:
        """Tell whether a URL of this scheme can be opened here."""
        return self.version is not None and not self.flaw

    @property
    def unclaimed(self) -> tuple[str, ...]:
        """The clauses of the contract that its engines do not promise."""
        return () if self.best is None else tuple(sorted(FULL - self.best.claims))

    def to_dict(self) -> dict[str, Any]:
        """Describe it for a program."""
        best = self.best
        promises = best and {
            "durability": best.durability,
            "shared": best.shared,
            "max_value": best.max_value,
            "contract": best.contract,
            "unclaimed": list(self.unclaimed),
        }
        return {
            "scheme": self.scheme,
            "package": self.package,
            "version": self.version,
            "usable": self.is_usable,
            "flaw": self.flaw,
            "promises": promises,
        }


def offers() -> list[Offer]:
    """List every scheme that is installed, then those that a package of ours would bring."""
    return [*_installed(), *_missing()]


def _installed() -> Iterator[Offer]:
    for scheme in installed_schemes():
        package, version = origin_of(scheme)
        try:
            best = provider_for(scheme).best
        except (ImportError, AttributeError, StorageError) as exc:
            flaw = f"{type(exc).__name__}: {exc}"
            yield Offer(scheme=scheme, package=package, version=version, flaw=flaw)
        else:
            yield Offer(scheme=scheme, package=package, version=version, best=best)


def _missing() -> Iterator[Offer]:
    for scheme, package in sorted(PACKAGES.items()):
        if scheme not in installed_schemes():
            yield Offer(scheme=scheme, package=package)
