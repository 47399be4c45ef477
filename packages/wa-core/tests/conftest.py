"""One Hypothesis profile for the package, and a way to the benches beside the tests."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# No deadline, for the machines of CI are noisy.
settings.register_profile("wa-core", deadline=None)
settings.load_profile("wa-core")


@pytest.fixture
def source() -> str:
    """Name a place in memory that nobody has used: where a session is moved from."""
    return f"memory:{secrets.token_hex(8)}"


@pytest.fixture
def target() -> str:
    """Name another: where it is moved to."""
    return f"memory:{secrets.token_hex(8)}"
