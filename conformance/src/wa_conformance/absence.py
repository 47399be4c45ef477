"""What a test needs and this machine has not: loud on a laptop, a failure in CI."""

from __future__ import annotations

import os
from typing import NoReturn


def absent(reason: str) -> NoReturn:
    """Skip the test that runs, or with CI=true fail it; the reason says what to install."""
    import pytest

    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
