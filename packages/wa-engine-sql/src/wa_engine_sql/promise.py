"""What a database may promise, from what is known of its settings [D1, D2].

Each dialect names the settings that weaken it; what follows from them is the same for all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from wa_core.errors import EngineConfigError
from wa_core.storage import Durability

_log = logging.getLogger(__name__)
_RANKS = (Durability.VOLATILE, Durability.PROCESS, Durability.POWER)


@dataclass(frozen=True, slots=True)
class Weakness:
    """A setting that gives less than power."""

    setting: str
    fix: str
    gives: Durability


def promised(asked: Durability | None, weaknesses: Iterable[Weakness]) -> Durability:
    """Return the level that was asked for, or the strongest that there is; or refuse.

    Whatever is weaker than power is logged, with the setting that makes it so.
    """
    given, because = Durability.POWER, ""
    for found in weaknesses:
        if _RANKS.index(found.gives) >= _RANKS.index(given):
            continue
        if asked is not None and _RANKS.index(found.gives) < _RANKS.index(asked):
            raise EngineConfigError(
                found.setting, f"{found.fix}, or open with ?durability={found.gives}"
            )
        given, because = found.gives, found.setting
    level = asked or given
    if level is not Durability.POWER:
        _log.warning("durability is %s, not power: %s", level, because or "it was asked for")
    return level
