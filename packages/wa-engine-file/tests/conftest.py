"""What all tests of the package share: a way to `file_bench`, and folders on a fast disk."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("wa-engine-file", deadline=None)
settings.load_profile("wa-engine-file")

IN_MEMORY = "/dev/shm"


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """Give a folder in memory where there is one: for thousands of stores, one after the other."""
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="wa-file-", dir=place) as folder:
        yield Path(folder)
