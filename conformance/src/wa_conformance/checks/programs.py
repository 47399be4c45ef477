"""Checks by state machine: random programs that end as the model says."""

from __future__ import annotations

from wa_conformance.bench import Bench
from wa_conformance.check import check
from wa_conformance.machine import BatchPrograms, Programs, run_programs


@check("W4", also=("O1", "O2", "C1", "K1", "W5"))
def random_programs_of_single_writes(bench: Bench) -> None:
    """Random programs of writes, deletes, reads and pages end as an independent model does."""
    run_programs(bench, Programs)


@check("W1", also=("W3", "W6", "S1", "O1", "O2", "C1", "K1", "W5", "X2"))
def random_programs_of_batches(bench: Bench) -> None:
    """Random programs of batches, bursts, scans and leases end as an independent model does."""
    run_programs(bench, BatchPrograms)
