"""The trials of SQL: a bad line, killed servers, a fight for the lease."""

from __future__ import annotations

from pathlib import Path

import pytest
from wa_conformance.servers import needed
from wa_conformance.target import parse_target
from wa_conformance.trials.door import UrlDoor
from wa_conformance.trials.kills import try_kills
from wa_conformance.trials.leases import try_leases
from wa_conformance.trials.network import try_network
from wa_conformance.trials.tally import share

pytestmark = [pytest.mark.once, pytest.mark.trials]

SEED = 1
RUNS, KILLS, ROUNDS = share(200), share(40), share(50)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_bad_line_changes_nothing(kind: str) -> None:
    with needed(kind) as server:
        tally = await try_network(UrlDoor(server.url), times=RUNS, seed=SEED)

    assert tally["runs"] == RUNS
    assert tally["unavailable"] > 0


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_killed_server_has_kept_what_it_acknowledged(kind: str) -> None:
    with needed(kind) as server:
        tally = await try_kills(parse_target(server.url), server, times=KILLS, seed=SEED)

    assert tally["runs"] == KILLS
    assert tally["acknowledged and lost"] == 0


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_process_that_was_stopped_beyond_its_lease_writes_nothing(kind: str) -> None:
    with needed(kind) as server:
        tally = await try_leases(parse_target(server.url), times=ROUNDS, seed=SEED)

    assert tally["runs"] == ROUNDS
    assert tally["woken"] > ROUNDS // 2


async def test_a_process_that_was_stopped_beyond_its_lease_writes_nothing_to_a_file(
    tmp_path: Path,
) -> None:
    target = parse_target(f"sqlite:{tmp_path / 'wa.db'}")

    # Stopped inside a transaction, it keeps all others out: that is allowed, two writers are not.
    tally = await try_leases(target, times=ROUNDS, seed=SEED, blocked_s=1.5)

    assert tally["runs"] == ROUNDS
    assert tally["woken"] >= ROUNDS // 10
