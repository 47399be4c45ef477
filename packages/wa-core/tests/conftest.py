"""One Hypothesis profile for the package, and a way to the benches beside the tests."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# No deadline, for the machines of CI are noisy.
settings.register_profile("wa-core", deadline=None)
settings.load_profile("wa-core")


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    """Start servers when a test first asks for them, and share them in its module."""
    # Here: most modules of this package need no server.
    from migrate_bench.places import started_servers

    with started_servers() as found:
        yield found


@pytest.fixture
def place(servers: Callable[[str], str], tmp_path: Path) -> Callable[[str], str]:
    """Name an empty session of a kind, each time another one."""
    from migrate_bench.places import empty_place

    return lambda kind: empty_place(kind, servers, tmp_path)


@pytest.fixture
def source() -> str:
    """Name a place in memory that nobody has used: where a session is moved from."""
    return f"memory:{secrets.token_hex(8)}"


@pytest.fixture
def target() -> str:
    """Name another: where it is moved to."""
    return f"memory:{secrets.token_hex(8)}"
