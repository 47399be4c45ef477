"""Checks of chapter K: a key is data, every byte of it."""

from __future__ import annotations

from wa_core.errors import InvalidKeyError

from wa_conformance.bench import Bench
from wa_conformance.check import check
from wa_conformance.corpus import HOSTILE, INVALID, LONG, NO_PREFIX, NOT_TEXT, TWINS
from wa_conformance.filling import expect_everything, fill, value_of


@check("K1")
async def hostile_keys_are_kept(bench: Bench) -> None:
    """Keys that are globs, patterns, paths or queries elsewhere are written, read and listed."""
    engine = await bench.open()
    written = await fill(bench, engine, [key for key in HOSTILE if key not in LONG])
    await expect_everything(engine, written)


@check("K1")
async def long_keys_are_kept(bench: Bench) -> None:
    """Keys of 512 bytes, of 256 segments and with segments over 255 bytes are kept."""
    engine = await bench.open()
    written = await fill(bench, engine, LONG)
    await expect_everything(engine, written)


@check("K1")
async def generated_keys_are_kept(bench: Bench) -> None:
    """Keys of random code points, from all planes, are written, read and listed."""
    engine = await bench.open()
    keys = {chr(code) for code in range(0x20, 0x180) if code not in (0x2E, 0x2F, 0x7F)}
    while len(keys) < 600:
        size = bench.rng.choice((1, 1, 2, 3, 8))
        letters = (_any_letter(bench) for _ in range(size))
        keys.add("r" + "".join(letters))
    written = await fill(bench, engine, sorted(keys))
    await expect_everything(engine, written)


def _any_letter(bench: Bench) -> str:
    low, high = bench.rng.choice(
        ((0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x10FFFF))
    )
    return chr(bench.rng.randint(low, high))


@check("K2")
async def twin_keys_stay_apart(bench: Bench) -> None:
    """Keys that differ in case, normalisation, trailing dots, spelling or escapes are two keys."""
    engine = await bench.open()
    for first, second in TWINS:
        await engine.set(first, value_of(first))
        await engine.expect_get(second, None)
        await engine.set(second, value_of(second))
        await engine.expect_many((first, second), {key: value_of(key) for key in (first, second)})
        await engine.set(first, None)
        await engine.expect_get(second, value_of(second))
        await engine.set(second, None)


@check("K2")
async def twin_keys_are_listed_as_written(bench: Bench) -> None:
    """Twin keys that are there together are listed in their own spelling, each once."""
    engine = await bench.open()
    keys = list(dict.fromkeys(key for pair in TWINS for key in pair))
    written = await fill(bench, engine, keys)
    await expect_everything(engine, written)
    await engine.expect_count(len(keys))


@check("K3")
async def children_below_a_value(bench: Bench) -> None:
    """A key that holds a value takes keys below it, and keeps the value."""
    engine = await bench.open()
    for key in ("chat/1", "chat/1/index", "chat/1/index/deep", "chat"):
        await engine.set(key, value_of(key))
    keys = ["chat", "chat/1", "chat/1/index", "chat/1/index/deep"]
    await expect_everything(engine, {key: value_of(key) for key in keys})


@check("K3")
async def a_value_above_children(bench: Bench) -> None:
    """A key that has keys below it takes a value, and keeps them."""
    engine = await bench.open()
    for key in ("chat/1/index/deep", "chat/1/index", "chat/1/messages", "chat/1", "chat"):
        await engine.set(key, value_of(key))
    keys = ["chat", "chat/1", "chat/1/index", "chat/1/index/deep", "chat/1/messages"]
    await expect_everything(engine, {key: value_of(key) for key in keys})


@check("K3")
async def a_value_outlives_its_children(bench: Bench) -> None:
    """When the last key below a value is deleted, the value stays."""
    engine = await bench.open()
    await engine.set("chat/1", b"own")
    await engine.set("chat/1/index", b"below")
    await engine.set("chat/1/index", None)
    await expect_everything(engine, {"chat/1": b"own"})
    await engine.set("chat/1/index", b"again")
    await engine.set("chat/1", b"rewritten")
    await expect_everything(engine, {"chat/1": b"rewritten", "chat/1/index": b"again"})


@check("K4")
async def bad_keys_are_refused_in_writes(bench: Bench) -> None:
    """Writing or deleting under an invalid key raises InvalidKeyError and changes nothing."""
    engine = await bench.open()
    written = await fill(bench, engine, ("a", "a/b", "etc/x", "chat/1/index"))
    for key in (*INVALID, *NOT_TEXT):
        await engine.expect_raises(InvalidKeyError, "set", key, b"bad")
        await engine.expect_raises(InvalidKeyError, "set", key, None)
    await expect_everything(engine, written)


@check("K4")
async def bad_keys_are_refused_in_reads(bench: Bench) -> None:
    """Reading an invalid key raises InvalidKeyError; it is not absent."""
    engine = await bench.open()
    await engine.set("a", b"1")
    for key in (*INVALID, *NOT_TEXT):
        await engine.expect_raises(InvalidKeyError, "get", key)
        await engine.expect_raises(InvalidKeyError, "get_many", ["a", key])
        await engine.expect_raises(InvalidKeyError, "get_many", [key])


@check("K4")
async def bad_prefixes_are_refused(bench: Bench) -> None:
    """A prefix that no valid key begins with raises InvalidKeyError in list and count."""
    engine = await bench.open()
    await engine.set("a", b"1")
    for prefix in (*NO_PREFIX, *NOT_TEXT):
        await engine.expect_raises(InvalidKeyError, "list", prefix)
        await engine.expect_raises(InvalidKeyError, "list", prefix, 0, 0)
        await engine.expect_raises(InvalidKeyError, "count", prefix)


@check("K4", also=("S1",))
async def bad_prefixes_are_refused_in_scans(bench: Bench) -> None:
    """A prefix that no valid key begins with raises InvalidKeyError in scan."""
    engine = await bench.open()
    await engine.set("a", b"1")
    for prefix in (*NO_PREFIX, *NOT_TEXT):
        await engine.expect_raises(InvalidKeyError, "scan", prefix)


@check("K4")
async def anything_that_begins_a_key_is_a_prefix(bench: Bench) -> None:
    """A prefix may end in '/', inside a segment, in dots, and after 511 bytes."""
    engine = await bench.open()
    longest = "x" * 510
    keys = ("chat/54", "chat/549/index", ".hidden", "..x", "a/...", longest + "/y", "\u00e9t\u00e9")
    await fill(bench, engine, keys)
    for prefix, found in (
        ("chat/", ["chat/549/index", "chat/54"]),
        ("chat/54", ["chat/549/index", "chat/54"]),
        ("chat/549/", ["chat/549/index"]),
        ("c", ["chat/549/index", "chat/54"]),
        (".", ["..x", ".hidden"]),
        ("..", ["..x"]),
        ("a/.", ["a/..."]),
        ("a/..", ["a/..."]),
        (longest + "/", [longest + "/y"]),
        (longest + "/y", [longest + "/y"]),
        ("\u00e9", ["\u00e9t\u00e9"]),
    ):
        await engine.expect_list(found, prefix)
        await engine.expect_count(len(found), prefix)
