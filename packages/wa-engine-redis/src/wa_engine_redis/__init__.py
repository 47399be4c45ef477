"""A storage engine for wa-core on Redis or Valkey, standalone or as a cluster."""

from __future__ import annotations

from wa_engine_redis.engine import RedisEngine

__all__ = ["RedisEngine"]
