"""One Hypothesis profile for the package, and a way to the benches beside the tests."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# No deadline, for the machines of CI are noisy.
settings.register_profile("wa-core", deadline=None)
settings.load_profile("wa-core")
