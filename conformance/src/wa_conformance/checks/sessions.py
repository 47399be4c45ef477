"""Checks of chapter N: sessions that never meet, and stores of another time."""

from __future__ import annotations

from wa_core.errors import StoreVersionError, WaError
from wa_core.storage import Engine, list_sessions

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.filling import demand, expect_everything, fill, place_of, value_of
from wa_conformance.probe import Probe

_SEPARATORS = (":", "/", "|", ".", "-", "_", "#", "$", "@", "~", " ", "\\", "%2F", "__", "::")


def hostile_names(token: str) -> list[str]:
    """Make session names that a place takes for one another, all beginning with `token`."""
    ends: tuple[str, ...] = (
        "",
        "0",
        "1",
        "10",
        "a",
        "A",
        "a ",
        "a.",
        "*",
        "?",
        "[a]",
        "%",
        "_",
        "'",
        '"',
        "`",
        ";",
    )
    ends += ("/b", "b", "_b", "-b", ":b", "%2Fb", "\u00e9", "e\u0301", "\U0001f600", "/..", "/.")
    ends += (" ", "a\\b", "@x", "_at_x", "default", "{x}", "x" * 100 + "1", "x" * 100 + "2", "$x")
    ends += (f"/../{token}0", ".tmp", ".lock", "\u00df", "ss", "\ufb01", "fi", "..", "#", "&x=1")
    return [token + end for end in ends]


@check("N1")
async def sessions_never_meet(bench: Bench) -> None:
    """Sessions whose names look alike, hold patterns or paths, each keep their own records."""
    names = hostile_names(bench.session)
    for name in names:
        engine = await bench.open(name)
        await engine.expect_list([])
        await _leave_mark(engine, name)
        await engine.close()
    for name in names:
        engine = await bench.open(name)
        await _expect_mark(engine, name)
        await engine.close()


@check("N1")
async def deleting_in_one_spares_the_others(bench: Bench) -> None:
    """A cascade and a rewrite in one session leave sessions with names like it alone."""
    session = bench.session
    names = [
        f"{session}{end}"
        for end in ("", "*", "?", "%", "_", "1", "10", "/1", "/10", ":1", "A", "a")
    ]
    engines = [await bench.open(name) for name in names]
    for engine, name in zip(engines, names, strict=True):
        await _leave_mark(engine, name)
    for engine in engines[:-1:2]:
        await engine.set("mark", None)
        await engine.set("only", b"rewritten")
    for engine, name in list(zip(engines, names, strict=True))[1::2]:
        await _expect_mark(engine, name)
    for engine in engines[:-1:2]:
        await expect_everything(engine, {"only": b"rewritten"})


@check("N1")
async def keys_cannot_reach_another_session(bench: Bench) -> None:
    """A key that holds what separates session and key somewhere does not lead into another one."""
    outer = bench.session
    for separator in _SEPARATORS:
        inner = f"{outer}{separator}x"
        one, two = await bench.open(outer), await bench.open(inner)
        await two.set("creds", b"inner")
        await one.expect_get(f"x{separator}creds".strip("/ "), None)
        await one.set(f"x{separator}creds".strip("/ "), b"outer")
        await two.expect_get("creds", b"inner")
        await two.expect_list(["creds"])
        await one.expect_count(1)
        await one.set("x", None)
        await one.set(f"x{separator}creds".strip("/ "), None)
        await two.expect_get("creds", b"inner")
        await one.close()
        await two.close()


@check("N1")
async def emptying_a_pattern_spares_what_it_matches(bench: Bench) -> None:
    """Emptying a session whose name is a pattern leaves the sessions that it matches alone."""
    names = [f"{bench.session}-{end}" for end in ("abc", "aXc", "a/b", "a.c", "A", "ab")]
    for name in names:
        engine = await bench.open(name)
        await _leave_mark(engine, name)
        await engine.close()
    for pattern in ("*", "a*", "a?c", "[a-z]*", "%", "a_c", ".*", "a.c.*", "", "a"):
        engine = await bench.open(f"{bench.session}-{pattern}")
        await engine.set("own", b"x")
        await engine.clear()
        await engine.expect_list([])
        await engine.close()
    for name in names:
        engine = await bench.open(name)
        await _expect_mark(engine, name)
        await engine.close()


async def _leave_mark(engine: Probe, name: str) -> None:
    await engine.set("mark/of", name)
    await engine.set("only", name[::-1])


async def _expect_mark(engine: Probe, name: str) -> None:
    await expect_everything(engine, {"mark/of": name.encode(), "only": name[::-1].encode()})


@check("N2")
async def clear_empties_the_session(bench: Bench) -> None:
    """After clear nothing is there: no value, list, count; and the session can be used again."""
    engine = await bench.open()
    keys = [f"chat/{number}/index" for number in range(120)]
    await fill(bench, engine, [*keys, "chat/7", "creds", "a@b", "A"])
    await engine.clear()
    await expect_everything(engine, {})
    await engine.expect_count(0)
    await engine.expect_get("creds", None)
    await engine.expect_get("chat/7/index", None)
    await engine.clear()
    await engine.set("creds", b"new")
    await engine.set("chat/7", b"new")
    await expect_everything(engine, {"creds": b"new", "chat/7": b"new"})


@check("N2")
async def clear_spares_other_sessions(bench: Bench) -> None:
    """clear of one session leaves every other session of the place as it was."""
    ends: tuple[str, ...] = ("", "0", "1", "/1", ":1", "-1", ".1", "A", "other")
    names = [f"{bench.session}{end}" for end in ends] + [bench.new_session("apart")]
    for name in names:
        engine = await bench.open(name)
        await _leave_mark(engine, name)
        await engine.close()
    engine = await bench.open(names[0])
    await engine.clear()
    await expect_everything(engine, {})
    await engine.close()
    for name in names[1:]:
        engine = await bench.open(name)
        await _expect_mark(engine, name)
        await engine.close()


@check("N2", Need.PERSISTENT)
async def a_cleared_session_stays_empty(bench: Bench) -> None:
    """A session that was emptied is empty when it is opened again."""
    engine = await bench.open()
    await fill(bench, engine, ("a", "a/b", "creds"))
    await engine.clear()
    await engine.set("after", b"x")
    engine = await bench.reopen(engine)
    await expect_everything(engine, {"after": b"x"})


@check("N2", Need.RESIDUE)
async def clear_leaves_nothing_behind(bench: Bench) -> None:
    """After clear the backend keeps no more of the session than before anything was written."""
    engine = await bench.open()
    engine.program.gap("the check looks into the backend")
    await engine.set("first", b"so that all that is ever made is made")
    await engine.clear()
    before = set(await bench.hooks.residue(engine.engine))
    await fill(bench, engine, ("a", "a/b/c", "chat/1@x/index", "creds"))
    await engine.clear()
    left = sorted(set(await bench.hooks.residue(engine.engine)) - before)
    demand(engine, not left, f"the backend still keeps {left[:10]!r}")


@check("N2", Need.URL)
async def sessions_are_listed_by_name(bench: Bench) -> None:
    """list_sessions names each session that holds records, spelled as it was opened."""
    names = [name for name in hostile_names(bench.session) if name != bench.session]
    for name in names:
        engine = await bench.open(name)
        await engine.set("k", b"1")
        await engine.close()
    found = await list_sessions(place_of(bench))
    engine = await bench.open()
    ours = sorted(name for name in found if name.startswith(bench.session))
    missing = sorted(set(names) - set(ours))
    strange = sorted(set(ours) - set(names) - {bench.session})
    engine.program.gap("the check lists the sessions of the place")
    demand(engine, not missing and not strange, f"missing {missing!r}, never opened {strange!r}")
    demand(engine, len(ours) == len(set(ours)), f"a session was named twice: {ours!r}")


@check("N3", Need.NEWER)
async def a_newer_store_is_refused(bench: Bench) -> None:
    """Opening what a newer contract wrote raises StoreVersionError, to write and to read."""
    await _aged(bench)
    for read_only in (False, True):
        error = await _refused(bench, read_only=read_only)
        if not isinstance(error, StoreVersionError):
            probe = await bench.open(bench.new_session("apart"))
            probe.fail(f"opening a newer store (read_only={read_only}) gave {error!r}")


@check("N3", Need.NEWER, Need.RESIDUE)
async def a_newer_store_is_left_as_it_is(bench: Bench) -> None:
    """A store that is refused for its version keeps all that it holds."""
    engine = await _aged(bench)
    before = await _residue(bench, engine)
    for read_only in (False, True):
        await _refused(bench, read_only=read_only)
    after = await _residue(bench, engine)
    lost = sorted(before - after)
    demand(engine, not lost, f"refusing a newer store removed {lost[:5]!r}")


async def _aged(bench: Bench) -> Probe:
    engine = await bench.open()
    await engine.set("session/creds", value_of("session/creds"))
    engine.program.gap("the store was made to look newer")
    await bench.hooks.pretend_newer(engine.engine)
    await engine.close()
    return engine


async def _refused(bench: Bench, *, read_only: bool) -> Engine | WaError:
    try:
        engine = await bench.target.open(bench.session, read_only=read_only)
    except WaError as exc:
        return exc
    await engine.close()
    return engine


async def _residue(bench: Bench, engine: Probe) -> set[str]:
    try:
        return set(await bench.hooks.residue(engine.engine))
    except WaError:
        return set()
