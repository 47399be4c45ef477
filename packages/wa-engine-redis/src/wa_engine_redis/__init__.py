"""A storage engine for wa-core on Redis or Valkey, standalone or as a cluster."""

from __future__ import annotations
