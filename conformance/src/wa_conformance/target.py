"""What is judged: an engine URL, a factory in Python, or a program that speaks the stdio protocol.

A target opens sessions by name: the same name again is the same session again. It also knows how
to write that down, so that a failing program can be pasted and run elsewhere.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast
from urllib.parse import parse_qsl

from wa_core.errors import InvalidUrlError
from wa_core.storage import (
    Engine,
    EngineUrl,
    ReadOnlyEngine,
    WrapperEngine,
    bare_url,
    installed_schemes,
    open_engine,
)

from wa_conformance.hooks import Hooks, hooks_for_scheme

STDIO = "stdio:"
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class TargetError(Exception):
    """The target cannot be understood or found; nothing was judged."""


class Target(ABC):
    """Something that opens sessions."""

    is_url: ClassVar[bool] = False

    def __init__(self, text: str, hooks: Hooks) -> None:
        self.text = text
        """The target as it was given: what a child process needs to open it."""
        self.hooks = hooks

    @property
    def shown(self) -> str:
        """The target without its secrets."""
        return self.text

    @property
    def opens_readers(self) -> bool:
        """A session can be opened for reading beside its writer."""
        return True

    @property
    def reachable(self) -> bool:
        """Another process can open the target by its text."""
        return True

    @abstractmethod
    async def open(
        self, session: str, *, read_only: bool = False, params: Mapping[str, str] | None = None
    ) -> Engine:
        """Open a session; a parameter that the target cannot pass on raises `TargetError`."""

    def behind(self, engine: Engine) -> Engine:
        """Return what keeps the records: the engine itself, or the one behind its wrappers."""
        return engine

    async def release(self) -> None:
        """Let go of what is held beyond the sessions: a check is over."""
        return

    @abstractmethod
    def source(self, session: str, *, read_only: bool, params: Mapping[str, str]) -> str:
        """Write `open` as a Python expression; `session` is one already."""

    @abstractmethod
    def imports(self) -> list[str]:
        """List the import statements that `source` needs."""


class UrlTarget(Target):
    """An engine URL; its place and parameters are kept, its session is replaced."""

    is_url = True

    def __init__(self, text: str) -> None:
        parsed = EngineUrl.parse(text)
        super().__init__(text, hooks_for_scheme(parsed.scheme, self.behind))
        self._url = parsed.with_session(None)
        self._bare = bare_url(self._url)
        self._wrappers = len(parsed.params) - len(self._bare.params)

    @property
    def shown(self) -> str:
        """The URL without passwords."""
        return str(self._typed({}))

    def behind(self, engine: Engine) -> Engine:
        """Reach through the wrappers that the URL asks for."""
        for _ in range(self._wrappers):
            assert isinstance(engine, WrapperEngine)
            engine = engine.inner
        return engine

    def url(self, session: str | None = None, **params: str) -> str:
        """Write the URL of a session, secrets included."""
        merged = {**self._url.params, **params}
        return EngineUrl(self._url.scheme, self._url.place, merged, session).reveal()

    def bare_url(self, session: str) -> str:
        """Write the URL of what keeps a session's records, without wrappers."""
        return self._bare.with_session(session).reveal()

    async def open(
        self, session: str, *, read_only: bool = False, params: Mapping[str, str] | None = None
    ) -> Engine:
        """Open a session of the place."""
        merged = {**self._url.params, **(params or {})}
        url = EngineUrl(self._url.scheme, self._url.place, merged, session)
        return await open_engine(url, read_only=read_only)

    def source(self, session: str, *, read_only: bool, params: Mapping[str, str]) -> str:
        """Write a call of `open_engine`."""
        base = f"{self._typed(params)}#"
        reading = ", read_only=True" if read_only else ""
        return f"await open_engine({base!r} + quote({session}){reading})"

    def imports(self) -> list[str]:
        """Import what the call needs."""
        return ["from urllib.parse import quote", "from wa_core.storage import open_engine"]

    def _typed(self, params: Mapping[str, str]) -> EngineUrl:
        # Not self._url: there the variables are filled in, and this is for eyes.
        place, _, query = self.text.partition("#")[0].partition(":")[2].partition("?")
        merged = {**dict(parse_qsl(query, keep_blank_values=True)), **params}
        return EngineUrl(self._url.scheme, place, merged)


class FactoryTarget(Target):
    """A callable: `factory(session)` gives the engine, or an awaitable of it."""

    def __init__(self, factory: Callable[..., Any], text: str) -> None:
        super().__init__(text, Hooks(getattr(factory, "hooks", None)))
        self._factory = factory
        self._accepts = _parameters(factory)

    @property
    def opens_readers(self) -> bool:
        """Only the factory itself knows how to open a reader."""
        return "read_only" in self._accepts

    @property
    def reachable(self) -> bool:
        """A nested function has no address."""
        return _FACTORY.fullmatch(self.text) is not None

    async def open(
        self, session: str, *, read_only: bool = False, params: Mapping[str, str] | None = None
    ) -> Engine:
        """Call the factory with what it takes."""
        made = self._factory(session, **self._given(read_only, params or {}))
        engine = await made if inspect.isawaitable(made) else made
        if not isinstance(engine, Engine):
            kind = type(engine).__name__
            raise TargetError(f"{self.text} must return an Engine, it returned a {kind}")
        if read_only and not engine.capabilities.read_only:
            return ReadOnlyEngine(engine)
        return engine

    def source(self, session: str, *, read_only: bool, params: Mapping[str, str]) -> str:
        """Write a call of `open_target`, which knows all the ways to make an engine."""
        given = "".join(f", {name}={value!r}" for name, value in params.items())
        reading = ", read_only=True" if read_only else ""
        return f"await open_target({self.text!r}, {session}{reading}{given})"

    def imports(self) -> list[str]:
        """Import what the call needs."""
        return ["from wa_conformance import open_target"]

    def _given(self, read_only: bool, params: Mapping[str, str]) -> dict[str, object]:
        given: dict[str, object] = {}
        if read_only and self.opens_readers:
            given["read_only"] = True
        for name, value in params.items():
            if name in self._accepts:
                given[name] = float(value) if name == "timeout" else value
            elif name != "timeout":
                raise TargetError(f"{self.text} takes no {name}=")
        return given


def parse_target(target: str | Callable[..., Any] | Target) -> Target:
    """Understand a target, or raise `TargetError` that says what would be one."""
    if isinstance(target, Target):
        return target
    if not isinstance(target, str):
        return FactoryTarget(target, f"{target.__module__}:{target.__qualname__}")
    if target.startswith(STDIO):
        # Here, because a program is a target that this module knows nothing else about.
        stdio = importlib.import_module("wa_conformance.stdio")
        return cast("Target", stdio.StdioTarget(target))
    scheme, colon, _ = target.partition(":")
    if not colon:
        raise TargetError(
            f"{target!r} is no target: give an engine URL (memory:, file:DIR), a factory "
            "(package.module:factory) or stdio:COMMAND"
        )
    if _FACTORY.fullmatch(target) and scheme.lower() not in installed_schemes():
        factory = find_factory(target)
        if factory is not None:
            return FactoryTarget(factory, target)
    try:
        return UrlTarget(target)
    except InvalidUrlError as exc:
        raise TargetError(str(exc)) from exc


def find_factory(text: str) -> Callable[..., Any] | None:
    """Import `package.module:factory`; None when there is no such module at all."""
    module_name, _, path = text.partition(":")
    if os.getcwd() not in sys.path and "" not in sys.path:
        # As `python -m` does, and as a pasted program will find it.
        sys.path.insert(0, os.getcwd())
    if importlib.util.find_spec(module_name.partition(".")[0]) is None:
        return None
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        raise TargetError(f"{text}: {exc}") from exc
    for name in path.split("."):
        if not hasattr(found, name):
            raise TargetError(f"{text}: {module_name} has no {path}")
        found = getattr(found, name)
    if not callable(found):
        raise TargetError(f"{text} cannot be called")
    return found  # type: ignore[no-any-return]


def _parameters(factory: Callable[..., Any]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(factory).parameters)
    except ValueError:
        return frozenset()
