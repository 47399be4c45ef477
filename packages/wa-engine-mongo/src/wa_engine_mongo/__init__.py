"""A storage engine for wa-core on MongoDB: standalone, replica set or sharded cluster."""

from __future__ import annotations
