"""Checks of chapter D: what is promised is what the backend gives."""

from __future__ import annotations

import secrets

from wa_core.errors import EngineConfigError, UnsupportedError, UsageError
from wa_core.storage import Durability, EngineUrl, open_engine

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check, refusal
from wa_conformance.filling import demand, expect_everything, fill, place_of
from wa_conformance.target import UrlTarget

_STRONGEST_FIRST = (Durability.POWER, Durability.PROCESS, Durability.VOLATILE)


def _rank(level: Durability) -> int:
    return -_STRONGEST_FIRST.index(level)


@check("D1", Need.PERSISTENT)
async def what_is_written_outlives_the_engine(bench: Bench) -> None:
    """A store that promises more than volatile has its records after close and open."""
    engine = await bench.open()
    written = await fill(bench, engine, {"session/creds": b"1", "a": b"", "a/b@c/D": b"3"})
    for _ in range(2):
        engine = await bench.reopen(engine)
        await expect_everything(engine, written)


@check("D1", Need.URL)
async def the_default_is_the_strongest_level(bench: Bench) -> None:
    """Opened without a wish, an engine promises the strongest level that it opens at all."""
    asked = EngineUrl.parse(place_of(bench)).durability
    engine = await bench.open()
    default = engine.engine.capabilities.durability
    await engine.close()
    if asked is not None:
        demand(engine, default is asked, f"asked for {asked}, it promises {default}")
        return
    offered = [level for level in _STRONGEST_FIRST if await _offers(bench, level)]
    demand(engine, bool(offered), "it opens at no level that can be named")
    demand(engine, default is offered[0], f"it promises {default}, and can do {offered[0]}")


@check("D1", Need.URL)
async def a_level_is_asked_for_by_name(bench: Bench) -> None:
    """Asked for a level by name, an engine gives exactly that, or refuses: never another."""
    engine = await bench.open()
    await engine.set("k", b"1")
    await engine.close()
    for level in _STRONGEST_FIRST:
        if await _offers(bench, level):
            engine = await bench.open(durability=level)
            found = engine.engine.capabilities.durability
            demand(engine, found is level, f"asked for {level}, it promises {found}")
            await engine.expect_get("k", b"1")
            await engine.close()


@check("D1", Need.URL)
async def an_unknown_level_is_refused(bench: Bench) -> None:
    """A level or a parameter that does not exist is refused, not dropped in silence."""
    engine = await bench.open()
    engine.program.gap("the check opens with parameters that are wrong")
    for name, value in (("durability", "everlasting"), ("durabilty", "power"), ("durability", "")):
        try:
            wrong = await bench.target.open(bench.new_session(), params={name: value})
        except (UsageError, EngineConfigError):
            continue
        await wrong.close()
        engine.fail(f"?{name}={value} was accepted")


async def _offers(bench: Bench, level: Durability) -> bool:
    try:
        engine = await bench.target.open(bench.session, params={"durability": level})
    except EngineConfigError:
        return False
    await engine.close()
    return True


@check("D2", Need.WEAK_PLACES)
async def a_weak_place_is_not_called_strong(bench: Bench) -> None:
    """Where the backend is set up for less than power, no engine promises more than it gives."""
    own = await bench.open()
    own.program.gap("the check opens places of its own")
    for place, gives in await bench.hooks.weak_places():
        url = EngineUrl.parse(place).with_session(f"conf-{secrets.token_hex(4)}")
        try:
            engine = await open_engine(url)
        except EngineConfigError:
            continue
        promised = engine.capabilities.durability
        await engine.clear()
        await engine.close()
        if _rank(promised) > _rank(gives):
            own.fail(f"{url} gives {gives}, and the engine promises {promised}")


@check("D2", Need.WEAK_PLACES)
async def a_weak_place_refuses_what_it_cannot_give(bench: Bench) -> None:
    """Asked by name for more than the backend is set up for, open raises EngineConfigError."""
    own = await bench.open()
    own.program.gap("the check opens places of its own")
    for place, gives in await bench.hooks.weak_places():
        asked = "&durability=" if "?" in place else "?durability="
        for level in _STRONGEST_FIRST:
            if _rank(level) <= _rank(gives):
                continue
            url = EngineUrl.parse(f"{place.partition('#')[0]}{asked}{level}")
            try:
                engine = await open_engine(url.with_session(f"conf-{secrets.token_hex(4)}"))
            except EngineConfigError as exc:
                demand(own, bool(exc.setting and exc.fix), "the error names no setting and no fix")
                continue
            await engine.clear()
            await engine.close()
            own.fail(f"{url} gives {gives}, and was opened for {level}")


@refusal("D1", "D2")
async def an_unclaimed_durability_is_refused(bench: Bench) -> None:
    """Where durability is not claimed, asking for more than the engine promises is refused."""
    engine = await bench.open()
    promised = engine.engine.capabilities.durability
    await engine.close()
    if not isinstance(bench.target, UrlTarget):
        return
    engine.program.gap("the check opens with parameters that are refused")
    for level in _STRONGEST_FIRST:
        if _rank(level) > _rank(promised):
            try:
                other = await bench.target.open(bench.session, params={"durability": level})
            except (EngineConfigError, UnsupportedError, UsageError):
                continue
            await other.close()
            engine.fail(f"?durability={level} was accepted by an engine that promises {promised}")
