"""What the tests of seals share."""

from __future__ import annotations
