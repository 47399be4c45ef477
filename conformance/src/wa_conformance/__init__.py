"""Judges a storage engine by the engine contract of `wa_core`, clause by clause.

On the command line `wa-conformance TARGET`, in a test file `test_it = contract_tests(TARGET)`.
Nothing is imported before it is called: pytest must see the checks first, to rewrite their asserts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from wa_core.storage import Engine

__all__ = ["contract_tests", "open_target", "replay"]


def contract_tests(
    target: str | Callable[..., object],
    *,
    profile: str = "quick",
    claim: str | None = None,
    seed: int = 0,
    without: Collection[str] = (),
) -> Callable[..., None]:
    """Make a test function that judges `target`, with one test id per check."""
    from wa_conformance.plugin import rewrite_asserts

    rewrite_asserts()
    from wa_conformance.door import make_tests

    return make_tests(target, profile=profile, claim=claim, seed=seed, without=without)


def replay(
    target: str | Callable[..., object],
    check: str,
    *,
    seed: int,
    profile: str = "quick",
    claim: str | None = None,
) -> None:
    """Run exactly one check again; end the process with 1 when it does not pass."""
    from wa_conformance.runner import replay_check

    replay_check(target, check, seed=seed, profile=profile, claim=claim)


async def open_target(
    target: str, session: str, *, read_only: bool = False, **params: str
) -> Engine:
    """Open a session of a target: what a printed program calls."""
    from wa_conformance.target import parse_target

    return await parse_target(target).open(session, read_only=read_only, params=params)
