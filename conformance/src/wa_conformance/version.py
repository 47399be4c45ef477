"""The version of the suite, as reports name it."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("wa-conformance")
