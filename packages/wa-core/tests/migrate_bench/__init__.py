"""What the tests of wa-migrate work with: a session to move, places to move it to, and kills."""

from __future__ import annotations
