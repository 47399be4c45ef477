"""Primitives: pure functions over bytes, with `cryptography` and nothing of Signal's libraries."""

from __future__ import annotations
