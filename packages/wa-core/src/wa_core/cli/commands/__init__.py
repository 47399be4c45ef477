"""The subcommands of `wa`, a module each: its words, its work, what it shows."""

from __future__ import annotations
