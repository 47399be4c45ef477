"""The edge of the package: what redis-py and Redis say, in the words of the contract [F2]."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis.exceptions as driver
from wa_core.errors import EngineConfigError, EngineUnavailableError, StorageError

NEEDED = "the keys of its prefix, +@read +@write +@scripting +@connection +time +info +config|get"
_PASSING = {
    "BUSY": "redis is busy with a script",
    "LOADING": "redis is loading its data",
    "MASTERDOWN": "redis has lost its primary",
    "MISCONF": "redis cannot write to its disk",
    "NOREPLICAS": "redis has too few replicas",
    "CLUSTERDOWN": "the redis cluster is down",
    "TRYAGAIN": "the redis cluster is moving these keys",
    "UNBLOCKED": "redis has become a replica",
}
"""Answers that another answer may follow, by their first word."""


@contextmanager
def driver_errors() -> Iterator[None]:
    """Wrap every call into the driver; nothing of redis-py leaves this package."""
    try:
        yield
    except (driver.AuthenticationError, driver.AuthenticationWrongNumberOfArgsError) as exc:
        raise EngineConfigError("login", "redis refuses the user or the password") from _bare(exc)
    except (driver.AuthorizationError, driver.NoPermissionError) as exc:
        raise EngineConfigError("ACL", f"allow this user {NEEDED}") from _bare(exc)
    except driver.OutOfMemoryError as exc:
        raise EngineUnavailableError("redis is out of memory: raise maxmemory") from exc
    except driver.ReadOnlyError as exc:
        raise EngineUnavailableError("this redis is a replica") from exc
    except (driver.ConnectionError, driver.TimeoutError, OSError) as exc:
        raise EngineUnavailableError("redis does not answer") from _bare(exc)
    except driver.RedisClusterException as exc:
        raise EngineUnavailableError("the redis cluster cannot be reached") from _bare(exc)
    except driver.RedisError as exc:
        if "OOM command not allowed" in str(exc):
            # A script that meets the limit says so in its own words.
            raise EngineUnavailableError("redis is out of memory: raise maxmemory") from _bare(exc)
        word = str(exc).partition(" ")[0]
        if word in _PASSING or isinstance(exc, driver.ClusterError):
            raise EngineUnavailableError(_PASSING.get(word, "the redis cluster moves")) from exc
        if "WRONGTYPE" in str(exc):
            fix = "it is not what this engine keeps there: look with TYPE, and take it away"
            raise EngineConfigError("a key has another type", fix) from _bare(exc)
        raise StorageError(f"redis refused: {type(exc).__name__} {word[:20]}") from _bare(exc)


def _bare(error: Exception) -> Exception:
    """Keep the kind of an error as a cause, and not its text: it may quote a key or a password."""
    return RuntimeError(type(error).__name__)
