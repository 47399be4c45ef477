"""Checks of chapter O, second half: prefixes, pages, and what they cost."""

from __future__ import annotations

from wa_core.errors import InvalidPageError

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.corpus import HOSTILE, LONG
from wa_conformance.filling import demand, fill
from wa_conformance.growth import FEW, MANY, expect_no_growth, fastest_of
from wa_conformance.model import Model
from wa_conformance.model import Put as ModelPut
from wa_conformance.probe import Probe

_KEYS = (
    "chat/1",
    "chat/10",
    "chat/1/index",
    "chat/10/index",
    "chat",
    "Chat/1",
    "cha",
    "chat/2",
    "x",
)


@check("O2")
async def a_prefix_is_a_beginning(bench: Bench) -> None:
    """A prefix lists every key that begins with it, in its own segment and below, and no other."""
    engine = await bench.open()
    await _expect_prefixes(bench, engine, _KEYS)


@check("O2")
async def a_hostile_prefix_is_a_beginning(bench: Bench) -> None:
    """A prefix that is a pattern elsewhere lists what begins with it, not what it matches."""
    engine = await bench.open()
    decoys = [
        "chat/abc",
        "chat/axc",
        "chat/b",
        "abc",
        "aXc",
        "axb",
        "zz",
        "100",
        "A/B/C",
        "chat/aab",
    ]
    await _expect_prefixes(bench, engine, [*decoys, *(key for key in HOSTILE if key not in LONG)])


async def _expect_prefixes(bench: Bench, engine: Probe, keys: tuple[str, ...] | list[str]) -> None:
    model = Model()
    for number, key in enumerate(keys):
        await engine.set(key, b"x", at=1_000 + number // 2)
        model.apply([ModelPut(key, b"x", 1_000 + number // 2)], clock=0)
    prefixes = {key[:end] for key in keys for end in (1, 2, len(key) // 2, len(key))}
    prefixes |= {key[: key.index("/") + 1] for key in keys if "/" in key}
    for prefix in sorted(prefixes):
        await engine.expect_list(model.listed(prefix), prefix, limit=None)
        await engine.expect_count(len(model.begins(prefix)), prefix)
    for prefix in ("nothing", "chat/1/index/", "chat/11", "\U0010ffff\U0010ffff", "a/b/c/d/e"):
        await engine.expect_list([], prefix)
        await engine.expect_count(0, prefix)


@check("O4")
async def limits_and_offsets(bench: Bench) -> None:
    """limit=None is all, 0 nothing; an offset skips, and past the end there is nothing."""
    engine = await bench.open()
    names = [f"k/{number}" for number in range(7)]
    await fill(bench, engine, names)
    newest = names[::-1]
    for prefix in ("", "k", "k/"):
        await engine.expect_list(newest, prefix, limit=None)
        await engine.expect_list([], prefix, limit=0)
        await engine.expect_list([], prefix, 3, limit=0)
        await engine.expect_list(newest[:1], prefix, limit=1)
        await engine.expect_list(newest[2:5], prefix, 2, limit=3)
        await engine.expect_list(newest[5:], prefix, 5, limit=10)
        await engine.expect_list(newest[6:], prefix, 6, limit=None)
        for offset in (7, 8, 10**9, 2**40):
            await engine.expect_list([], prefix, offset)
            await engine.expect_list([], prefix, offset, limit=None)
    await engine.expect_list(newest, "", 0, limit=2**40)


@check("O4")
async def all_is_more_than_any_page(bench: Bench) -> None:
    """limit=None, or a limit of thousands, lists thousands: there is no hidden page size."""
    engine = await bench.open()
    names = [f"lid/{number}" for number in range(2_300)]
    await fill(bench, engine, names, chunk=500)
    await engine.expect_list(names[::-1], limit=None)
    await engine.expect_list(names[::-1], "lid/", limit=3_000)
    await engine.expect_list(names[1_999::-1], "lid/", 300, limit=None)
    await engine.expect_list(names[1_999:299:-1], "lid/", 300, limit=1_700)


@check("O4")
async def an_empty_session_has_empty_pages(bench: Bench) -> None:
    """In an empty session every page is empty and every count 0."""
    engine = await bench.open()
    for prefix in ("", "chat", "chat/"):
        await engine.expect_list([], prefix)
        await engine.expect_list([], prefix, limit=None)
        await engine.expect_list([], prefix, 5)
        await engine.expect_count(0, prefix)


@check("O4")
async def a_page_holds_fifty_unless_told(bench: Bench) -> None:
    """Without a limit a page holds the 50 newest keys."""
    engine = await bench.open()
    names = [f"k/{number}" for number in range(60)]
    await fill(bench, engine, names)
    found = await engine.engine.list("k/")
    engine.program.add("assert len(await engine.list('k/')) == 50")
    if found != names[:9:-1]:
        engine.fail(f"list('k/') returned {len(found)} of 60 keys, expected the 50 newest")
    found = await engine.engine.list("k/", 20)
    if found != names[39::-1]:
        engine.fail(f"list('k/', 20) returned {len(found)} keys, expected the 40 oldest")


@check("O4")
async def no_page_is_negative(bench: Bench) -> None:
    """A negative offset or limit raises InvalidPageError, which is a ValueError."""
    engine = await bench.open()
    await fill(bench, engine, ("a", "b", "c"))
    for prefix in ("", "a", "nothing/"):
        await engine.expect_raises(InvalidPageError, "list", prefix, -1)
        await engine.expect_raises(InvalidPageError, "list", prefix, 0, -1)
        await engine.expect_raises(InvalidPageError, "list", prefix, -1, None)
        error = await engine.expect_raises(InvalidPageError, "list", prefix, -2, 0)
        demand(engine, isinstance(error, ValueError), "the error is no ValueError")


@check("O5")
async def pages_make_the_whole_list(bench: Bench) -> None:
    """Pages of any size, laid end to end, are the list: nothing twice, nothing missing."""
    engine = await bench.open()
    for number in range(120):
        await engine.set(f"chat/{number * 37 % 120}", b"x", at=500 + number % 4)
    await fill(bench, engine, [f"chat/new/{number}" for number in range(40)])
    for prefix in ("chat/", "chat/1", ""):
        whole = await engine.list(prefix, limit=None)
        await engine.expect_count(len(whole), prefix)
        for size in (1, 3, 7, 50, 64, 100, 1_000):
            await _expect_walk(engine, prefix, size, whole)


async def _expect_walk(engine: Probe, prefix: str, size: int, whole: list[str]) -> None:
    laid: list[str] = []
    while page := await engine.engine.list(prefix, len(laid), size):
        laid += page
        if len(page) > size or len(laid) > len(whole):
            break
    source = f"[key for offset in range(0, {len(whole)}, {size}) "
    source += f"for key in await engine.list({prefix!r}, offset, {size})]"
    if laid != whole:
        twice = sorted({key for key in laid if laid.count(key) > 1})
        missing = [key for key in whole if key not in laid]
        engine.program.add(f"assert {source} == await engine.list({prefix!r}, limit=None)")
        engine.fail(
            f"pages of {size}: twice {twice[:5]!r}, missing {missing[:5]!r}, or out of order"
        )


@check("O5")
async def a_large_list_in_pages(bench: Bench) -> None:
    """Thousands of keys are walked in pages of 500 without a gap, whole and below a prefix."""
    engine = await bench.open()
    names = [f"chat/{number % 3}/message/{number}" for number in range(3_000)]
    await fill(bench, engine, names, chunk=500)
    for prefix in ("", "chat/1/", "chat/2/message/"):
        expected = [name for name in reversed(names) if name.startswith(prefix)]
        await _expect_walk(engine, prefix, 500, expected)


@check("O6")
async def a_page_costs_the_same_in_a_large_session(bench: Bench) -> None:
    """The newest page below a folder costs about the same at fifty times as many keys."""
    engine = await bench.open()
    few = bench.profile.keys // 50
    await fill(bench, engine, _messages(0, few), chunk=500)

    async def measure() -> float:
        return max(
            await fastest_of(engine, lambda: engine.engine.list("chat/1/message/", 0, 20)),
            await fastest_of(engine, lambda: engine.engine.list("", 0, 20)),
            await fastest_of(engine, lambda: engine.engine.list("chat/1/message/", 30, 20)),
        )

    async def grow() -> None:
        await fill(bench, engine, _messages(few, bench.profile.keys), chunk=500)

    await expect_no_growth(engine, measure, grow, "a page")


@check("O6")
async def a_count_costs_what_its_prefix_spans(bench: Bench) -> None:
    """Counting below a small folder costs the same whatever else the session holds."""
    engine = await bench.open()
    await fill(bench, engine, {f"lid/{number}": b"x" for number in range(20)})
    await fill(bench, engine, _messages(0, FEW))

    async def measure() -> float:
        return max(
            await fastest_of(engine, lambda: engine.engine.count("lid/")),
            await fastest_of(engine, lambda: engine.engine.count("lid/1")),
        )

    async def grow() -> None:
        await fill(bench, engine, _messages(FEW, MANY), chunk=500)

    await expect_no_growth(engine, measure, grow, "a count")
    await engine.expect_count(20, "lid/")


@check("O6", Need.DAMAGE)
async def lists_and_counts_read_no_values(bench: Bench) -> None:
    """list and count answer although every value is damaged: they do not read them."""
    engine = await bench.open()
    names = [f"chat/{number}" for number in range(5)]
    await fill(bench, engine, names)
    engine.program.gap("records were damaged behind the engine's back")
    for name in names:
        await bench.hooks.damage(engine.engine, name)
    await engine.expect_count(5)
    await engine.expect_count(5, "chat/")
    await engine.expect_list(names[::-1], "chat/")


def _messages(first: int, last: int) -> dict[str, bytes]:
    return {f"chat/1/message/{number}": b"x" for number in range(first, last)}
