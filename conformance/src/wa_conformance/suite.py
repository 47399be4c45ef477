"""`pytest --pyargs wa_conformance.suite --wa-engine TARGET`: the whole suite as tests.

pytest imports this module; nobody else should.
"""

from __future__ import annotations

import pytest
from wa_core.errors import WaError

from wa_conformance.check import Check, all_checks
from wa_conformance.door import carry_out, demand_complete, parametrized, subject_of
from wa_conformance.target import TargetError


@pytest.fixture(scope="session")
def wa_target(request: pytest.FixtureRequest) -> str:
    """The target that the command line names."""
    target = request.config.getoption("--wa-engine")
    if not target:
        pytest.exit("wa_conformance.suite needs --wa-engine TARGET", returncode=4)
    return str(target)


@parametrized(all_checks())
def test_contract(check: Check | None, wa_target: str, request: pytest.FixtureRequest) -> None:
    """Carry out one check of the contract."""
    __tracebackhide__ = True
    option = request.config.getoption
    try:
        subject = subject_of(wa_target, option("--wa-claim"))
    except (TargetError, WaError) as exc:
        pytest.exit(f"--wa-engine: {exc}", returncode=4)
    profile = option("--wa-profile")
    if check is None:
        demand_complete(subject, all_checks(), whole=True, profile=profile)
    else:
        carry_out(check, subject, profile=profile, seed=option("--wa-seed"))
