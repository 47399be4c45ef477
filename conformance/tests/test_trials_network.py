"""The rig of the bad line: a healthy engine passes, and each fault that it is there for is seen."""

from __future__ import annotations

import pytest
from toy_server import (
    KeepsTheLine,
    LeaksItsDriver,
    SendsNoNumbers,
    TakesSilenceForAnAnswer,
    ToyDoor,
    ToyEngine,
    ToyServer,
    WaitsForEver,
)
from wa_conformance.trials.network import try_network
from wa_conformance.violation import Violation

pytestmark = pytest.mark.once

TIMEOUT_S = 0.2


async def test_a_healthy_engine_bears_a_bad_line() -> None:
    async with ToyServer() as server:
        tally = await try_network(ToyDoor(server, ToyEngine), times=80, seed=1, timeout=TIMEOUT_S)

    assert tally["runs"] == 80
    assert tally["unavailable"] > 10
    kinds = {"delay", "late", "late-reply", "drop-reply", "stall", "refuse", "duplicate"}
    assert kinds | {"reset-before", "reset-amid", "reset-after"} <= set(tally)


@pytest.mark.parametrize(
    ("kind", "clauses"),
    [
        (SendsNoNumbers, {"W3"}),
        (KeepsTheLine, {"W3", "F2", "G3"}),
        (LeaksItsDriver, {"F2"}),
        (TakesSilenceForAnAnswer, {"W3"}),
        (WaitsForEver, {"F1"}),
    ],
)
async def test_a_broken_engine_is_found_on_a_bad_line(
    kind: type[ToyEngine], clauses: set[str]
) -> None:
    async with ToyServer() as server:
        with pytest.raises(Violation) as found:
            await try_network(ToyDoor(server, kind), times=200, seed=1, timeout=TIMEOUT_S)

    assert found.value.clause in clauses
    assert "--only" in found.value.__notes__[0]
