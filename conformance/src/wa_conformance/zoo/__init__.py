"""The zoo: engines that are broken on purpose, one bug each, to judge the suite by.

A suite that no broken engine fails proves nothing. Every specimen names the clause it breaks, and
must be killed by a check of that clause; `python -m wa_conformance.zoo.matrix` shows which. The
controls break nothing and must pass all that they claim.
"""

from __future__ import annotations

from wa_conformance.zoo import (
    cascade,
    crash,
    failure,
    folding,
    grammar,
    leases,
    levels,
    nesting,
    order,
    pages,
    rare_data,
    rare_edges,
    rare_turns,
    rare_work,
    reads,
    reopen,
    scans,
    sessions,
    traces,
    urls,
    values,
    writers,
    writes,
)
from wa_conformance.zoo.base import Breakable, Specimen
from wa_conformance.zoo.levels import CoreSpecimen
from wa_conformance.zoo.persistent import LogSpecimen, OneWriter

Animal = type[Breakable] | type[urls.UrlSpecimen]

CONTROLS: tuple[Animal, ...] = (Specimen, LogSpecimen, OneWriter, urls.UrlSpecimen, CoreSpecimen)
"""The healthy ones: in memory, on disk, on disk with one writer, by URL, with three methods."""

ZOO: tuple[Animal, ...] = (
    *folding.SPECIMENS,
    *grammar.SPECIMENS,
    *nesting.SPECIMENS,
    *values.SPECIMENS,
    *reads.SPECIMENS,
    *writes.SPECIMENS,
    *cascade.SPECIMENS,
    *traces.SPECIMENS,
    *order.SPECIMENS,
    *pages.SPECIMENS,
    *scans.SPECIMENS,
    *leases.SPECIMENS,
    *crash.SPECIMENS,
    *reopen.SPECIMENS,
    *failure.SPECIMENS,
    *writers.SPECIMENS,
    *sessions.SPECIMENS,
    *rare_data.SPECIMENS,
    *rare_work.SPECIMENS,
    *rare_turns.SPECIMENS,
    *rare_edges.SPECIMENS,
    *rare_edges.BY_URL,
    *urls.SPECIMENS,
    *levels.SPECIMENS,
)
"""The broken ones, in the order of the contract's chapters, as far as files allow."""
