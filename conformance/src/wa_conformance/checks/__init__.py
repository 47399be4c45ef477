"""The checks, one module per chapter of the contract; importing a module registers its checks."""

from __future__ import annotations

MODULES: tuple[str, ...] = (
    "keys",
    "values",
    "reads",
    "writes",
    "cascade",
    "order",
    "pages",
    "scan",
    "leases",
    "durability",
    "failure",
    "cancelling",
    "sharing",
    "kills",
    "programs",
    "sessions",
    "urls",
)
"""The modules to load, in the order of the contract."""
