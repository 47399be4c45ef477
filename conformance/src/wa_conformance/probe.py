"""An engine under observation: the same calls, recorded, timed, and held to the contract.

Each call leaves a line of Python in the program of the check, must end in time [F1], and may raise
nothing but errors of the contract [F2]. The `expect_` methods record an `assert` and, when it does
not hold, raise a `Violation` that shows both sides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from textwrap import indent
from typing import Any, TypeVar, cast

from wa_core import errors
from wa_core.storage import Batch, Engine, Entry, Lease
from wa_core.storage.clauses import BY_ID

from wa_conformance.program import Line, Program
from wa_conformance.violation import Violation, difference, shown
from wa_conformance.wakeful import awake_for

GRACE_S = 2.0
"""How long after its own timeout an engine may take before the suite gives up on it."""

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
Entries = list[Entry]


class Probe:
    """One engine object, watched on behalf of the check of `clause`."""

    def __init__(self, engine: Engine, *, name: str, clause: str, program: Program) -> None:
        self.engine = engine
        self.name = name
        self.clause = clause
        self.program = program
        self.session = ""
        self.read_only = False
        self.params: dict[str, str] = {}

    # The engine's own calls.

    async def get(self, key: str) -> bytes | None:
        """Call `get`."""
        return await self._call(f"get({self._args(key)})", self.engine.get, key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Call `get_many`."""
        wanted = keys if isinstance(keys, str) else list(keys)
        return await self._call(f"get_many({self._args(wanted)})", self.engine.get_many, wanted)

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Call `set`."""
        given = {} if at is None else {"at": at}
        call = f"set({self._args(key, value, **given)})"
        await self._call(call, self.engine.set, key, value, **given)

    async def apply(self, batch: Batch, *, fence: Lease | None = None) -> None:
        """Call `apply`."""
        given = {} if fence is None else {"fence": fence}
        call = f"apply({self._args(batch, **given)})"
        await self._call(call, self.engine.apply, batch, **given)

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> list[str]:
        """Call `list`."""
        call = f"list({self._page(prefix, offset, limit)})"
        return await self._call(call, self.engine.list, prefix, offset, limit)

    async def count(self, prefix: str = "") -> int:
        """Call `count`."""
        return await self._call(f"count({self._args(prefix)})", self.engine.count, prefix)

    async def scan(self, prefix: str = "") -> Entries:
        """Call `scan` and collect what it yields."""
        source = f"[entry async for entry in {self.name}.scan({self._args(prefix)})]"
        return await self._observe(source, lambda: _collected(self.engine.scan(prefix)))

    async def acquire(self, holder: str, ttl: float) -> Lease:
        """Call `acquire`; later calls that get the lease name it in the program."""
        name = f"lease_{len(self.program.leases) + 1}"
        source = f"{name} = await {self.name}.acquire({self._args(holder, ttl)})"
        lease = await self._observe(source, lambda: self.engine.acquire(holder, ttl))
        self.program.name_lease(lease, name)
        return lease

    async def renew(self, lease: Lease, ttl: float | None = None) -> None:
        """Call `renew` on a lease of this engine."""
        source = f"await {self._args(lease)}.renew({self._args(ttl)})"
        await self._observe(source, lambda: lease.renew(ttl))

    async def release(self, lease: Lease) -> None:
        """Call `release` on a lease of this engine."""
        await self._observe(f"await {self._args(lease)}.release()", lease.release)

    async def clear(self) -> None:
        """Call `clear`."""
        await self._call("clear()", self.engine.clear)

    async def close(self) -> None:
        """Call `close`."""
        await self._call("close()", self.engine.close)

    # Calls with what must come of them.

    async def expect_get(self, key: str, value: bytes | None) -> None:
        """Demand that `get` returns exactly this."""
        call = f"get({self._args(key)})"
        await self._same(call, self._args(value), self.engine.get, value, key)

    async def expect_many(self, keys: Iterable[str], values: Mapping[str, bytes]) -> None:
        """Demand that `get_many` returns exactly this."""
        wanted, expected = list(keys), dict(values)
        call = f"get_many({self._args(wanted)})"
        await self._same(call, self._args(expected), self.engine.get_many, expected, wanted)

    async def expect_list(
        self, keys: Iterable[str], prefix: str = "", offset: int = 0, limit: int | None = 50
    ) -> None:
        """Demand this page, in this order."""
        expected = list(keys)
        call = f"list({self._page(prefix, offset, limit)})"
        await self._same(
            call, self._args(expected), self.engine.list, expected, prefix, offset, limit
        )

    async def expect_count(self, number: int, prefix: str = "") -> None:
        """Demand this count."""
        call = f"count({self._args(prefix)})"
        await self._same(call, str(number), self.engine.count, number, prefix)

    async def expect_scan(
        self, entries: Mapping[str, tuple[bytes, int | None]], prefix: str = ""
    ) -> None:
        """Demand these entries, each once; a position of None is not looked at."""
        found = await self.scan(prefix)
        self.program.lines[-1].source = f"scanned = {self.program.lines[-1].source}"
        keys = [entry.key for entry in found]
        listed = "[entry.key for entry in scanned]"
        self._expect_same(f"sorted({listed})", sorted(keys), sorted(entries))
        for entry in found:
            value, at = entries[entry.key]
            actual: tuple[object, ...] = (entry.value,) if at is None else (entry.value, entry.at)
            wanted: tuple[object, ...] = (value,) if at is None else (value, at)
            fields = "(e.value,)" if at is None else "(e.value, e.at)"
            source = f"next({fields} for e in scanned if e.key == {entry.key!r})"
            self._expect_same(source, actual, wanted)

    async def expect_raises(
        self, error: type[E] | tuple[type[E], ...], method: str, *args: Any, **kwargs: Any
    ) -> E:
        """Demand that the method raises this error, and return it."""
        kinds = error if isinstance(error, tuple) else (error,)
        names = " | ".join(kind.__name__ for kind in kinds)
        source = self._refused(kinds, method, args, kwargs)
        self.program.add(source)
        try:
            with self._watch(method, expected=kinds):
                found = await self._bounded(method, lambda: self._raw(method, args, kwargs))
        except kinds as exc:
            return exc
        except Violation:
            raise
        except Exception as exc:
            raise self._violation(
                f"{method} raised {type(exc).__name__} instead of {names}: {exc}"
            ) from exc
        raise self._violation(f"{method} raised no {names}, it returned {shown(found)}")

    def expect(self, condition: bool, source: str) -> None:
        """Demand a fact that the check has computed; `source` says it in Python."""
        self.program.add(f"assert {source}")
        if not condition:
            self.program.gap("the last fact was computed by the check")
            raise self._violation(f"this does not hold: {source}")

    def fail(self, message: str) -> None:
        """Report a violation that no single expression shows."""
        self.program.gap("the check itself saw the violation")
        raise self._violation(message)

    def __repr__(self) -> str:
        return f"<Probe {self.name}>"

    # How a call is watched.

    async def _call(self, call: str, method: Callable[..., Awaitable[T]], *a: Any, **k: Any) -> T:
        return await self._observe(f"await {self.name}.{call}", lambda: method(*a, **k))

    async def _same(
        self, call: str, source: str, method: Callable[..., Awaitable[T]], expected: T, *args: Any
    ) -> None:
        operator = "is" if expected is None else "=="
        statement = f"assert await {self.name}.{call} {operator} {source}"
        found = await self._observe(statement, lambda: method(*args))
        if found != expected or type(found) is not type(expected):
            raise self._violation(f"{self.name}.{call} {difference(found, expected)}")

    def _expect_same(self, source: str, found: object, expected: object) -> None:
        self.program.add(f"assert {source} == {self.program.value(expected)}")
        if found != expected:
            raise self._violation(f"{source} {difference(found, expected)}")

    async def _observe(self, source: str, call: Callable[[], Awaitable[T]]) -> T:
        line = self.program.add(source)
        with self._watch(source, line=line):
            return await self._bounded(source, call)

    async def _bounded(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        seconds = self.engine.timeout + GRACE_S
        try:
            async with awake_for(seconds) as limit:
                return await call()
        except TimeoutError as exc:
            if not limit.expired():
                raise
            hanging = self.program.lines[-1]
            body = indent(hanging.source, "    ")
            hanging.source = f"async with asyncio.timeout({seconds:g}):\n{body}"
            message = f"{shown(what)} did not end within {seconds:g} s: neither result nor error"
            raise self._violation(message, clause="F1") from exc

    @contextmanager
    def _watch(
        self, what: str, *, line: Line | None = None, expected: tuple[type[BaseException], ...] = ()
    ) -> Iterator[None]:
        self.program.in_flight += 1
        try:
            yield
        except Violation:
            raise
        except (errors.WaError, ValueError, TypeError) as exc:
            self._note(line, exc)
            raise
        except Exception as exc:
            self._note(line, exc)
            if isinstance(exc, expected):
                raise
            message = f"{shown(what)} let {type(exc).__name__} out of the package: {exc}"
            raise self._violation(message, clause="F2") from exc
        except BaseException:
            self.program.gap("a call was cancelled")
            raise
        finally:
            self.program.in_flight -= 1

    def _note(self, line: Line | None, error: BaseException) -> None:
        if line is not None:
            line.raised = type(error)
        self.program.names_error(type(error))

    def _violation(self, message: str, *, clause: str | None = None) -> Violation:
        if clause is not None and clause != self.clause:
            message = f"{message} [{clause}: {BY_ID[clause].sentence}]"
        return Violation(self.clause, message, self.program.sources())

    # How a call is written down.

    def _args(self, *args: object, **kwargs: object) -> str:
        named = [f"{name}={self.program.value(value)}" for name, value in kwargs.items()]
        return ", ".join([*(self.program.value(value) for value in args), *named])

    def _page(self, prefix: object, offset: object, limit: object) -> str:
        named = {} if limit == 50 else {"limit": limit}
        return self._args(prefix, offset, **named) if offset else self._args(prefix, **named)

    def _refused(
        self, kinds: tuple[type[BaseException], ...], method: str, args: Any, kwargs: Any
    ) -> str:
        for kind in kinds:
            self.program.names_error(kind)
        given = self._args(*args, **kwargs)
        call = f"await {self.name}.{method}({given})"
        if method == "scan":
            call = f"[entry async for entry in {self.name}.scan({given})]"
        names = ", ".join(kind.__name__ for kind in kinds)
        caught = names if len(kinds) == 1 else f"({names})"
        return (
            f"try:\n    {call}\nexcept {caught}:\n    pass\n"
            f'else:\n    raise AssertionError("raised no {names}")'
        )

    async def _raw(self, method: str, args: Any, kwargs: Any) -> object:
        result = getattr(self.engine, method)(*args, **kwargs)
        if method == "scan":
            return await _collected(cast("AsyncIterator[Entry]", result))
        return await cast("Awaitable[object]", result)


async def _collected(source: AsyncIterator[Entry]) -> Entries:
    async with aclosing(cast("Any", source)):
        return [entry async for entry in source]
