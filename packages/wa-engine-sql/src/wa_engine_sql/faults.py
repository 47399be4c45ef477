"""The edge of the package: what drivers and SQLAlchemy say, in the words of the contract [F2]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from wa_core.errors import EngineUnavailableError, StorageError, WaError

Meaning = Callable[[BaseException], WaError | None]
"""A dialect's way to say what an error of its driver means; None when it is not the driver's."""


@contextmanager
def driver_errors(meaning: Meaning) -> Iterator[None]:
    """Wrap every call; nothing of a driver leaves this package."""
    try:
        yield
    except WaError:
        raise
    except Exception as exc:
        raise told(exc, meaning) from exc


def told(error: BaseException, meaning: Meaning) -> WaError:
    """Say what an error means: SQLAlchemy wraps the driver's, sometimes twice."""
    for one in causes(error):
        found = meaning(one)
        if found is not None:
            return found
    for one in causes(error):
        if isinstance(one, OSError):
            return EngineUnavailableError(f"no connection to the database ({type(one).__name__})")
        if isinstance(one, MemoryError):
            return EngineUnavailableError("out of memory")
    return StorageError(f"the database refused: {type(error).__name__}")


def causes(error: BaseException) -> Iterator[BaseException]:
    """Walk an error and all that it wraps, each once."""
    seen: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        one = queue.pop(0)
        if one is None or one in seen:
            continue
        seen.append(one)
        yield one
        if isinstance(one, SQLAlchemyError):
            queue.append(getattr(one, "orig", None))
        if isinstance(one, BaseExceptionGroup):
            queue.extend(one.exceptions)
        queue.append(one.__cause__)
