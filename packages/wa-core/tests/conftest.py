"""One Hypothesis profile for the package: no deadline, for the machines of CI are noisy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wa-core", deadline=None)
settings.load_profile("wa-core")
