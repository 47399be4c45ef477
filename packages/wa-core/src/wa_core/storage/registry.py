"""From a URL to an engine: installed packages are found by entry point [U1].

No engine registers itself by being imported, and nothing here knows one by name, except to tell
a user which package to install. A URL parameter may bring a wrapper along: `seal=` does. It belongs
to that wrapper alone, and the provider of the scheme does not see it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from wa_core.errors import StorageError, UnknownEngineError, WaError
from wa_core.storage.engine import Engine
from wa_core.storage.provider import Provider, Wrapper
from wa_core.storage.readonly import ReadOnlyEngine
from wa_core.storage.url import EngineUrl, without_secrets

GROUP = "wa.engines"
WRAPPERS = "wa.wrappers"

PACKAGES = {
    "memory": "wa-core",
    "file": "wa-engine-file",
    "redis": "wa-engine-redis",
    "rediss": "wa-engine-redis",
    "unix": "wa-engine-redis",
    "mongo": "wa-engine-mongo",
    "mongodb": "wa-engine-mongo",
    "mongodb+srv": "wa-engine-mongo",
    "sqlite": "wa-engine-sql",
    "postgres": "wa-engine-sql",
    "postgresql": "wa-engine-sql",
    "mysql": "wa-engine-sql",
    "mariadb": "wa-engine-sql",
    "baileys": "wa-engine-file",
    "arcaelas-file": "wa-engine-file",
    "baileys-redis": "wa-engine-redis",
    "baileys-rediss": "wa-engine-redis",
    "arcaelas-redis": "wa-engine-redis",
    "arcaelas-rediss": "wa-engine-redis",
    "baileys-mongo": "wa-engine-mongo",
    "baileys-sql": "wa-engine-sql",
    "baileys-rows": "wa-engine-sql",
    "arcaelas-sql": "wa-engine-sql",
}
"""Which package brings a scheme: to tell a user what to install, and for nothing else."""


async def open_engine(url: str | EngineUrl, *, read_only: bool = False) -> Engine:
    """Open the session that `url` names; close it with `close` or use `async with` [U1]."""
    parsed = EngineUrl.parse(url) if isinstance(url, str) else url
    read_only = read_only or parsed.flag("readonly")
    bare = bare_url(parsed)
    engine = await provider_for(parsed.scheme).open(bare, read_only=read_only)
    if read_only and not engine.capabilities.read_only:
        engine = ReadOnlyEngine(engine)
    return engine if bare is parsed else await _wrapped(engine, parsed)


async def list_sessions(url: str | EngineUrl) -> list[str]:
    """Name the sessions in the place of `url`; `url#name` opens one [N2]."""
    parsed = EngineUrl.parse(url) if isinstance(url, str) else url
    place = parsed.with_session(None)
    bare = bare_url(place)
    found = sorted(await provider_for(parsed.scheme).list_sessions(bare))
    if bare is place:
        return found
    # What a wrapper keeps for itself may be all that is there.
    return [name for name in found if await _holds_anything(place, name)]


def bare_url(url: EngineUrl) -> EngineUrl:
    """Return the URL of what lies behind the wrappers: the one that a provider understands."""
    kept = {name: value for name, value in url.params.items() if name not in _wrappers()}
    return url if len(kept) == len(url.params) else url.with_params(kept)


def lasting_url(text: str) -> str:
    """Spell a URL for a record: without secrets, and the same in every working directory."""
    parsed = EngineUrl.parse(text)
    located = provider_for(parsed.scheme).absolute(parsed)
    return without_secrets(text if located is parsed else located.reveal())


def thrifty_url(text: str) -> EngineUrl:
    """Read a URL so that its engine takes little memory, unless the URL says how it is opened."""
    parsed = EngineUrl.parse(text)
    return parsed.with_params({**provider_for(parsed.scheme).thrifty, **parsed.params})


def installed_schemes() -> tuple[str, ...]:
    """Name the URL schemes that the installed packages offer."""
    return tuple(sorted(_installed()))


def origin_of(scheme: str) -> tuple[str, str]:
    """Name the package that offers an installed scheme, and its version."""
    entry = _installed()[scheme]
    if entry.dist is None:
        return entry.value.partition(":")[0], "unknown"
    return entry.dist.name, entry.dist.version


def provider_for(scheme: str) -> Provider:
    """Load the provider of a scheme, or say what to install."""
    entry = _installed().get(scheme)
    if entry is None:
        package = PACKAGES.get(scheme, f"wa-engine-{scheme}")
        raise UnknownEngineError(scheme, package, installed_schemes())
    provider = entry.load()()
    if not isinstance(provider, Provider):
        raise StorageError(f"the entry point {entry.value} of {GROUP} is no Provider")
    return provider


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


async def _wrapped(engine: Engine, url: EngineUrl) -> Engine:
    async with AsyncExitStack() as undo:
        undo.push_async_exit(engine)
        for wrapper, value in wrappers_for(url):
            engine = await wrapper.wrap(engine, value)
        undo.pop_all()
    return engine


def wrappers_for(url: EngineUrl) -> list[tuple[Wrapper, str]]:
    """Load the wrappers that a URL asks for, the innermost first, with what it says to each."""
    known = _wrappers()
    return [(_wrapper(known[name]), value) for name, value in url.params.items() if name in known]


def _wrapper(entry: EntryPoint) -> Wrapper:
    wrapper = entry.load()()
    if not isinstance(wrapper, Wrapper):
        raise StorageError(f"the entry point {entry.value} of {WRAPPERS} is no Wrapper")
    return wrapper


async def _holds_anything(place: EngineUrl, session: str) -> bool:
    try:
        # A place that is itself a session has no name.
        async with await open_engine(place.with_session(session or None), read_only=True) as engine:
            return bool(await engine.list(limit=1))
    except WaError:
        # It cannot be looked into, so there is something.
        return True


@cache
def _wrappers() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=WRAPPERS)}
