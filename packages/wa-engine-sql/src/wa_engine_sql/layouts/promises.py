"""What a database promises for tables that are not ours [D1, D2]."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from wa_core.storage import FULL, Capabilities, Durability

from wa_engine_sql.layouts.hand import Hand
from wa_engine_sql.layouts.spellings import Layout
from wa_engine_sql.layouts.tables import Stand
from wa_engine_sql.promise import Weakness, promised

NEVER = frozenset(
    # Not every key, not every value; no checksum; several questions for one answer; names are
    # looked through for a page or a cascade; no place for a lease or a version.
    ("K1", "K3", "V1", "G2", "G4", "C4", "O6", "L1", "L2", "L3", "N3", "Y1", "Y2", "Y3")
)
POSITIONS = frozenset(("O1", "O3"))
_FACTS = text(
    "SELECT current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on', "
    "current_setting('synchronous_commit') <> 'off', "
    "NOT EXISTS (SELECT FROM pg_class WHERE relpersistence <> 'p' "
    "AND oid = ANY (SELECT to_regclass(name) FROM unnest(string_to_array(:names, ' ')) AS name))"
)
_WEAKER = (
    Weakness("fsync=off", "set it to on", Durability.PROCESS),
    Weakness("full_page_writes=off", "set it to on", Durability.PROCESS),
    Weakness("synchronous_commit=off", "set it to on for this role", Durability.VOLATILE),
    Weakness("an UNLOGGED table", "ALTER TABLE ... SET LOGGED", Durability.VOLATILE),
)


async def of_postgres(hand: Hand, layout: Layout, asked: Durability | None) -> Durability:
    """Return the level that was asked for or that PostgreSQL's settings give, or refuse."""
    names = " ".join(shelf.table for shelf in layout.shelves)
    facts = (await hand.execute(_FACTS, {"names": names})).one()
    return promised(asked, (weak for good, weak in zip(facts, _WEAKER, strict=True) if not good))


def capabilities(
    layout: Layout, stands: Sequence[Stand], durability: Durability, *, read_only: bool
) -> Capabilities:
    """Claim what the tables keep, and nothing else."""
    fine = all(stand.stamp is not None and stand.stamp.is_fine for stand in stands)
    claims = FULL - NEVER if layout.is_dated and fine else FULL - NEVER - POSITIONS
    return Capabilities(durability=durability, shared=True, read_only=read_only, claims=claims)
