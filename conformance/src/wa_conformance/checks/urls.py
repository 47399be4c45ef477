"""Checks of chapter U: one text names one session, and tells nobody a secret."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from wa_core.errors import InvalidUrlError, UnknownEngineError, WaError
from wa_core.storage import Engine, EngineUrl, installed_schemes, open_engine

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.filling import demand, place_of
from wa_conformance.probe import Probe
from wa_conformance.program import Program

CANARY = "c4n4ry-p4ssw0rd"


@check("U1", Need.URL)
async def the_scheme_finds_the_engine(bench: Bench) -> None:
    """The target's scheme is among those installed, and opens in capitals too."""
    scheme, _, rest = bench.url().partition(":")
    engine = await bench.open()
    demand(engine, scheme in installed_schemes(), f"{scheme!r} is not in {installed_schemes()}")
    await engine.set("k", b"1")
    await engine.close()
    await _expect_same_session(bench, f"{scheme.upper()}:{rest}")


@check("U1", Need.URL)
async def an_unknown_scheme_says_what_to_install(bench: Bench) -> None:
    """A scheme nobody offers raises UnknownEngineError with a package and what is installed."""
    engine = await bench.open()
    engine.program.gap("the check opens URLs of its own")
    for scheme in ("nosuchengine", "wa+none", "x"):
        try:
            await open_engine(f"{scheme}:somewhere#session")
        except UnknownEngineError as exc:
            own = EngineUrl.parse(place_of(bench)).scheme
            told = exc.scheme == scheme and own in exc.installed and exc.package in str(exc)
            demand(engine, told, f"the error does not help: {exc}")
        else:
            engine.fail(f"{scheme}: was opened")


@check("U1", Need.URL)
async def what_is_no_url_is_refused(bench: Bench) -> None:
    """A text without a scheme raises InvalidUrlError."""
    engine = await bench.open()
    engine.program.gap("the check opens URLs of its own")
    for text in ("", "no-scheme", "/a/path", "://host", "1x:place", ":place"):
        try:
            await open_engine(text)
        except InvalidUrlError:
            continue
        engine.fail(f"{text!r} was taken for a URL")


@check("U2", Need.URL)
async def the_fragment_names_the_session(bench: Bench) -> None:
    """`#name` picks the session, percent-decoded; another name is another session."""
    engine = await bench.open()
    await engine.set("k", b"1")
    await engine.close()
    place = place_of(bench).partition("#")[0]
    await _expect_same_session(bench, f"{place}#{bench.session}")
    coded = "".join(f"%{byte:02X}" for byte in bench.session.encode())
    await _expect_same_session(bench, f"{place}#{coded}")
    other = await bench.open(f"{bench.session}/x y#z")
    await other.expect_get("k", None)
    await other.set("k", b"2")
    await other.close()
    await _expect_same_session(bench, f"{place}#{quote(f'{bench.session}/x y#z', safe='')}", b"2")
    await _expect_same_session(bench, f"{place}#{bench.session}")


@check("U2", Need.URL)
async def no_parameter_is_dropped(bench: Bench) -> None:
    """A parameter that the engine does not know is refused; one that it knows has an effect."""
    engine = await bench.open(timeout="2.5")
    found = engine.engine.timeout
    demand(engine, 2.5 <= found < 5, f"with ?timeout=2.5 the timeout is {found}")
    await engine.close()
    engine.program.gap("the check opens with parameters that are wrong")
    for name, value in (("no_such_parameter", "1"), ("timeout", "soon"), ("timeout", "-1")):
        try:
            wrong = await bench.target.open(bench.session, params={name: value})
        except InvalidUrlError:
            continue
        await wrong.close()
        engine.fail(f"?{name}={value} was accepted")


@check("U3", Need.URL)
async def short_forms_name_the_same_place(bench: Bench) -> None:
    """What people type, `scheme:PLACE` and `scheme://PLACE`, leads to the same session."""
    engine = await bench.open()
    await engine.set("k", b"1")
    await engine.close()
    for url in _other_forms(bench):
        await _expect_same_session(bench, url)


def _other_forms(bench: Bench) -> Iterator[str]:
    url = EngineUrl.parse(bench.url())
    place = url.place
    yield bench.url()
    if url.scheme == "file":
        yield from _paths(url, url.path, after="//")
    elif url.scheme == "sqlite":
        # As in SQLAlchemy: three slashes and a relative path, or four and an absolute one.
        bare = EngineUrl(url.scheme, place.removeprefix("///"))
        yield from _paths(url, bare.path, after="///")
        yield _with_place(url, f"///{os.path.relpath(bare.path)}")
    elif place.startswith("//"):
        yield _with_place(url, place[2:])


def _paths(url: EngineUrl, path: str, *, after: str) -> Iterator[str]:
    yield _with_place(url, f"{after}{os.path.abspath(path)}")
    yield _with_place(url, os.path.abspath(path))
    yield _with_place(url, os.path.relpath(path))


def _with_place(url: EngineUrl, place: str) -> str:
    return EngineUrl(url.scheme, place, url.params, url.session).reveal()


@check("U4", Need.URL)
async def the_environment_fills_in(bench: Bench) -> None:
    """`${NAME}` in a URL is taken from the environment, and refused when it is not there."""
    place = place_of(bench)
    joint = "&" if "?" in place else "?"
    engine = await bench.open()
    await engine.set("k", b"1")
    await engine.close()
    engine.program.gap("the check sets a variable of the environment")
    if "timeout=" in place:
        joint = "&readonly=0&"
    name = "WA_CONFORMANCE_VALUE"
    url = f"{place}{joint}timeout=${{{name}}}#{bench.session}"
    os.environ[name] = "3.5"
    try:
        opened = await open_engine(url)
    finally:
        del os.environ[name]
    found = opened.timeout
    await opened.close()
    demand(engine, 3.5 <= found < 6, f"with timeout 3.5 in the environment it is {found}")
    try:
        opened = await open_engine(url)
    except InvalidUrlError as exc:
        demand(engine, name in str(exc), f"the error does not name the variable: {exc}")
    else:
        await opened.close()
        engine.fail("a variable that is not set was taken for something")


@check("U4", Need.URL)
async def secrets_are_shown_to_nobody(bench: Bench) -> None:
    """A password in the URL is in no repr, message, traceback or log, whether it opens or not."""
    probe = await bench.open()
    probe.program.gap("the check opens URLs with a password")
    url = EngineUrl.parse(bench.url())
    host = url.place.removeprefix("//").rpartition("@")[2]
    attempts = (
        f"{url.scheme}://someone:{CANARY}@{host or 'localhost'}?no_such_parameter=1",
        f"{url.scheme}:{url.place}?password={CANARY}",
        f"{url.scheme}:{url.place}?token={CANARY}&timeout=soon",
        f"{url.scheme}:{url.place}?no_such_secret={CANARY}",
    )
    for attempt in attempts:
        parsed = EngineUrl.parse(attempt)
        _expect_silence(probe, "the URL", f"{parsed} {parsed!r} {[parsed]}")
        with _logs() as lines:
            await _try_to_open(probe, attempt)
        _expect_silence(probe, "the log", "\n".join(lines))


@check("U4", Need.URL)
async def the_own_secrets_are_shown_to_nobody(bench: Bench) -> None:
    """Whatever is secret in the target's own URL is in no repr, error or log of its engine."""
    kept = _secrets_of(EngineUrl.parse(bench.url()))
    with _logs() as lines:
        probe = await bench.open()
        await probe.set("k", b"1")
        engine = probe.engine
        shown = [repr(engine), str(engine), repr(engine.capabilities), repr(bench.session)]
        for call in (engine.get("a//b"), engine.set("k", b"", at=-1)):
            try:
                await call
            except WaError as exc:
                shown.append("".join(traceback.format_exception(exc)))
    for secret in kept:
        demand(probe, secret not in "\n".join([*shown, *lines]), "a part of the URL was shown")


def _secrets_of(url: EngineUrl) -> list[str]:
    user, at, _ = url.place.removeprefix("//").rpartition("@")
    password = user.partition(":")[2] if at else ""
    masked = str(url)
    hidden = [value for value in url.params.values() if value not in masked]
    return [secret for secret in (password, *hidden) if secret]


async def _try_to_open(probe: Probe, attempt: str) -> None:
    engine: Engine | None = None
    try:
        engine = await open_engine(f"{attempt}#conf-canary")
        _expect_silence(probe, "the engine", f"{engine!r} {engine} {engine.capabilities!r}")
    except WaError as exc:
        told = f"{exc} {exc!r} {''.join(traceback.format_exception(exc))}"
        lines = [line for line in told.splitlines() if not line.startswith("    ")]
        _expect_silence(probe, f"{type(exc).__name__}", "\n".join(lines))
    finally:
        if engine is not None:
            await engine.close()


def _expect_silence(probe: Probe, where: str, text: str) -> None:
    if CANARY in text:
        # Not the text itself: a report is no place for a secret either.
        probe.fail(f"{where} shows the password")


@contextmanager
def _logs() -> Iterator[list[str]]:
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())
            if record.exc_info:
                lines.append("".join(traceback.format_exception(*record.exc_info)))

    root, keeper = logging.getLogger(), Keeper(level=logging.DEBUG)
    level, disabled = root.level, root.manager.disable
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    root.manager.disable = 0
    try:
        yield lines
    finally:
        root.manager.disable = disabled
        root.setLevel(level)
        root.removeHandler(keeper)


async def _expect_same_session(bench: Bench, url: str, value: bytes = b"1") -> None:
    engine = await open_engine(url)
    probe = Probe(engine, name="engine", clause=bench.clause, program=Program("conf-"))
    probe.program.gap("the check opens URLs of its own")
    try:
        await probe.expect_get("k", value)
    finally:
        await probe.close()
