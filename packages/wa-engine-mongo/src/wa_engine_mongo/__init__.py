"""A storage engine for wa-core on MongoDB: standalone, replica set or sharded cluster."""

from __future__ import annotations

from wa_engine_mongo.engine import MongoEngine

__all__ = ["MongoEngine"]
