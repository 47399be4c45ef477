"""The pytest plugin: options, a marker, and the rewriting of asserts; it imports no check."""

from __future__ import annotations

import sys

import pytest

_WITH_ASSERTS = ("wa_conformance.checks", "wa_conformance.machine", "wa_conformance.probe")


def rewrite_asserts() -> None:
    """Let pytest show both sides of the asserts in the checks; too late once they are imported."""
    pytest.register_assert_rewrite(*(name for name in _WITH_ASSERTS if name not in sys.modules))


rewrite_asserts()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `pytest --pyargs wa_conformance.suite`."""
    group = parser.getgroup("wa-conformance", "judge a storage engine by the engine contract")
    group.addoption("--wa-engine", metavar="TARGET", help="URL, package.module:factory or stdio:")
    group.addoption("--wa-profile", choices=("quick", "full", "soak"), default="quick")
    group.addoption("--wa-claim", choices=("core", "full"), help="judge by this level")
    group.addoption("--wa-seed", type=int, default=0, metavar="N", help="the dice (default: 0)")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker that every test of the suite carries."""
    config.addinivalue_line("markers", "wa_conformance: a check of the engine contract")
