"""An engine in any language: a program is asked in JSON lines and judged like every other engine.

Arguments of the three methods are not checked on this side: a program must refuse an invalid key
itself, as an engine in its own language has to.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from wa_core.errors import EngineUnavailableError, UnsupportedError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Lease,
    Operation,
    Put,
    ThreeMethodEngine,
    check_key,
    check_prefix,
)

from wa_conformance import wire
from wa_conformance.hooks import Hooks
from wa_conformance.link import Link
from wa_conformance.target import STDIO, Target, TargetError

Keys = list[str]


class StdioEngine(ThreeMethodEngine):
    """One session of a program; what the program does not offer, the three methods give."""

    def __init__(
        self, line: Line, number: int, capabilities: Capabilities, *, timeout: float
    ) -> None:
        super().__init__(capabilities, timeout=timeout)
        self.line = line
        self._number = number

    async def ask(self, op: str, **fields: object) -> wire.Message:
        """Ask the program about this session."""
        return await self.line.link.ask(op, engine=self._number, **fields)

    # What goes out as it comes.

    async def get(self, key: str) -> bytes | None:
        """Ask for one value."""
        return await self._in_time(self.read(_text(key, check_key)))

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Ask to write one value, or to delete."""
        if isinstance(value, bytes | str | None):
            self._check_writable()
            data = value.encode() if isinstance(value, str) else value
            await self._in_time(self._write_in_turn(_text(key, check_key), data, at))
        else:
            await super().set(key, value, at=at)

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Keys:
        """Ask for a page."""
        return await self._in_time(self.page(_text(prefix, check_prefix), offset, limit))

    async def _write_in_turn(self, key: str, value: bytes | None, at: int | None) -> None:
        async with self._turn:
            await self.write(key, value, at)

    # The three methods.

    async def read(self, key: str) -> bytes | None:
        """Ask for one value."""
        value = (await self.ask("get", key=key)).get("value")
        return None if value is None else wire.unpacked(value)

    async def write(self, key: str, value: bytes | None, at: int | None) -> None:
        """Ask to write one value, or to delete in cascade."""
        if value is None:
            await self.ask("delete", key=key)
        else:
            await self.ask("set", key=key, value=wire.packed(value), at=at)

    async def page(self, prefix: str, offset: int, limit: int | None) -> Keys:
        """Ask for a page."""
        answer = await self.ask("list", prefix=prefix, offset=offset, limit=limit)
        return _strings(answer, "keys")

    # What a program may offer beyond them.

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if not self.line.offers("get_many"):
            return await super()._get_many(keys)
        values = (await self.ask("get_many", keys=[*keys])).get("values")
        if not isinstance(values, dict):
            raise wire.WireError('get_many answers {"values": {KEY: BASE64}}')
        return {key: wire.unpacked(value) for key, value in values.items()}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if not self.line.offers("apply"):
            await super()._apply(operations, fence)
            return
        steps = [
            {"put": step.key, "value": wire.packed(step.value), "at": step.at}
            if isinstance(step, Put)
            else {"delete": step.key}
            for step in operations
        ]
        await self.ask("apply", operations=steps, fence=None if fence is None else fence.epoch)

    async def _count(self, prefix: str) -> int:
        if not self.line.offers("count"):
            return await super()._count(prefix)
        return int((await self.ask("count", prefix=prefix))["count"])

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        if not self.line.offers("scan"):
            raise UnsupportedError("scan")
        cursor: object = None
        while True:
            answer = await self.ask("scan", prefix=prefix, cursor=cursor)
            for entry in answer.get("entries", ()):
                yield Entry(entry["key"], wire.unpacked(entry["value"]), int(entry["at"]))
            cursor = answer.get("cursor")
            if cursor is None:
                return

    async def _acquire(self, holder: str, ttl: float) -> int:
        if not self.line.offers("acquire"):
            return await super()._acquire(holder, ttl)
        return int((await self.ask("acquire", holder=holder, ttl=ttl))["epoch"])

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.ask("renew", epoch=lease.epoch, ttl=ttl)

    async def _release(self, lease: Lease) -> None:
        await self.ask("release", epoch=lease.epoch)

    async def _clear(self) -> None:
        if self.line.offers("clear"):
            await self.ask("clear")
        else:
            await super()._clear()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(self.timeout):
                await self.ask("close")
        except TimeoutError as exc:
            raise EngineUnavailableError("the program does not answer") from exc
        finally:
            await self.line.leave()


class Line:
    """A running program and what it said of itself."""

    def __init__(self, link: Link, hello: Mapping[str, Any]) -> None:
        self.link = link
        self.hello = hello
        self._durability = wire.capabilities_of(hello, read_only=False).durability
        self._users = 0

    @classmethod
    async def start(cls, command: Sequence[str]) -> Line:
        """Start the program and shake hands."""
        try:
            link = await Link.start(command)
        except OSError as exc:
            raise TargetError(f"{command[0]} cannot be started: {exc}") from exc
        try:
            async with asyncio.timeout(DEFAULT_TIMEOUT_S):
                hello = await link.ask("hello", protocol=wire.PROTOCOL)
            if hello.get("protocol") != wire.PROTOCOL:
                raise TargetError(
                    f"the program speaks protocol {hello.get('protocol')!r}, not {wire.PROTOCOL}"
                )
            return cls(link, hello)
        except BaseException:
            await link.close()
            raise

    def offers(self, op: str) -> bool:
        """Tell whether the program has an optional operation."""
        return op in self.hello.get("ops", ())

    async def open(self, session: str, *, read_only: bool, timeout: float) -> StdioEngine:
        """Open a session on this line."""
        async with asyncio.timeout(timeout):
            answer = await self.link.ask("open", session=session, read_only=read_only)
        self._users += 1
        capabilities = wire.capabilities_of(self.hello, read_only=read_only)
        return StdioEngine(self, int(answer["engine"]), capabilities, timeout=timeout)

    @property
    def used(self) -> bool:
        """A session is open on this line."""
        return self._users > 0

    async def leave(self) -> None:
        """Count a session out; a persistent program shows what it kept when it starts anew."""
        self._users -= 1
        if not self.used and self._durability is not Durability.VOLATILE:
            await self.link.close()


class StdioTarget(Target):
    """A program; each event loop has a run of it, from the first session to `release`."""

    def __init__(self, text: str) -> None:
        super().__init__(text, Hooks())
        self._command = shlex.split(text.removeprefix(STDIO))
        if not self._command:
            raise TargetError('stdio: needs a command, as in "stdio:node engine.js"')
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, Line] = WeakKeyDictionary()
        self._starting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    async def open(
        self, session: str, *, read_only: bool = False, params: Mapping[str, str] | None = None
    ) -> Engine:
        """Open a session, in the program that runs or in a new run."""
        given = dict(params or {})
        timeout = float(given.pop("timeout", DEFAULT_TIMEOUT_S))
        if given:
            raise TargetError(f"stdio: takes no {', '.join(given)}")
        loop = asyncio.get_running_loop()
        async with self._starting.setdefault(loop, asyncio.Lock()):
            line = self._lines.get(loop)
            if line is None or line.link.over:
                line = self._lines[loop] = await Line.start(self._command)
                self.hooks = hooks_of(line)
            try:
                return await line.open(session, read_only=read_only, timeout=timeout)
            except TimeoutError as exc:
                raise EngineUnavailableError("the program does not answer") from exc

    async def release(self) -> None:
        """End this loop's run of the program."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.link.close()

    def source(self, session: str, *, read_only: bool, params: Mapping[str, str]) -> str:
        """Write a call of `open_target`."""
        given = "".join(f", {name}={value!r}" for name, value in params.items())
        reading = ", read_only=True" if read_only else ""
        return f"await open_target({self.text!r}, {session}{reading}{given})"

    def imports(self) -> list[str]:
        """Import what the call needs."""
        return ["from wa_conformance import open_target"]


class StdioHooks:
    """Hooks that the program offers as operations; silence is a stopped process."""

    async def damage(self, engine: Engine, key: str) -> None:
        """Ask the program to spoil a record."""
        await _stdio(engine).ask("damage", key=key)

    def stall(self, engine: Engine) -> None:
        """Stop the program where it stands."""
        _stdio(engine).line.link.signal(signal.SIGSTOP)

    def resume(self, engine: Engine) -> None:
        """Let it go on."""
        _stdio(engine).line.link.signal(signal.SIGCONT)

    async def residue(self, engine: Engine) -> Keys:
        """Ask the program what it keeps."""
        return _strings(await _stdio(engine).ask("residue"), "names")

    async def pretend_newer(self, engine: Engine) -> None:
        """Ask the program to make its store look newer."""
        await _stdio(engine).ask("pretend_newer")


def hooks_of(line: Line) -> Hooks:
    """Offer the hooks that the program announced, and the signals that every program takes."""
    offered = [name for name in ("damage", "residue", "pretend_newer") if line.offers(name)]
    return Hooks(StdioHooks, only=("stall", "resume", *offered))


def _stdio(engine: Engine) -> StdioEngine:
    inner: object = engine
    while not isinstance(inner, StdioEngine):
        inner = getattr(inner, "inner", None)
        if inner is None:
            raise TypeError(f"{engine!r} is no program")
    return inner


def _text(given: str, check: Callable[[str], str]) -> str:
    # JSON could carry it, but what is no str is no question of the program's.
    return given if isinstance(given, str) else check(given)


def _strings(answer: wire.Message, name: str) -> Keys:
    found = answer.get(name)
    if not isinstance(found, list):
        raise wire.WireError(f'the answer is {{"{name}": [...]}}')
    return found
