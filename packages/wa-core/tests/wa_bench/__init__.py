"""What the tests of the command `wa` share: a way to run it, and a session that is sound."""

from __future__ import annotations
