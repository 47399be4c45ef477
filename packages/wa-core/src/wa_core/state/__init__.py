"""The state of a session: typed records over an engine."""

from __future__ import annotations
