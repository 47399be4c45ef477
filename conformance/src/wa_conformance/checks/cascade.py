"""Checks of chapter C: a delete takes the key and all below it, and nothing else."""

from __future__ import annotations

from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.corpus import HOSTILE, LONG
from wa_conformance.filling import demand, expect_everything, fill, remove, value_of
from wa_conformance.growth import FEW, MANY, expect_no_growth, fastest_of
from wa_conformance.model import covers
from wa_conformance.probe import Probe

_TREE = ("chat/1", "chat/1/index", "chat/1/message/9", "chat/1/message/9/raw", "chat/1/x/y/z/end")


@check("C1")
async def the_whole_tree_goes(bench: Bench) -> None:
    """Deleting a key removes its value, its children and theirs, however deep."""
    engine = await bench.open()
    await fill(bench, engine, (*_TREE, "chat", "chat/2"))
    await engine.set("chat/1", None)
    await expect_everything(engine, {key: value_of(key) for key in ("chat", "chat/2")})


@check("C1")
async def siblings_are_spared(bench: Bench) -> None:
    """Deleting `chat/1` spares `chat/10`, `chat/1-2`, `chat/1.5`, `Chat/1` and parents."""
    engine = await bench.open()
    spared: tuple[str, ...] = (
        "chat/10",
        "chat/1-2",
        "chat/1.5",
        "chat/1 ",
        "chat/1 /x",
        "chat/1:x",
        "chat/1\\x",
    )
    spared += ("chat/11/index", "chat/1!", "chat/10/1", "chat/0", "chat/1_", "chat/1%", "chat/1*/a")
    spared += ("Chat/1", "chat/1\u0301", "chat", "a/chat/1", "chat/chat/1", "1", "chat/2/chat/1/x")
    kept = await fill(bench, engine, spared)
    await fill(bench, engine, _TREE)
    await engine.set("chat/1", None)
    await expect_everything(engine, kept)


@check("C1")
async def a_folder_without_a_value_goes(bench: Bench) -> None:
    """Deleting a key that holds no value removes what is below it."""
    engine = await bench.open()
    await fill(bench, engine, ("chat/1/index", "chat/1/message/9/raw", "chat/2/index"))
    await engine.set("chat/1", None)
    await expect_everything(engine, {"chat/2/index": value_of("chat/2/index")})
    await engine.set("chat", None)
    await expect_everything(engine, {})


@check("C1")
async def a_leaf_goes_alone(bench: Bench) -> None:
    """Deleting a key with nothing below it spares its parents and its siblings."""
    engine = await bench.open()
    kept = await fill(bench, engine, ("a", "a/b", "a/b/c", "a/b/cd", "a/bc"))
    await engine.set("a/b/d", b"goes")
    await engine.set("a/b/d", None)
    await expect_everything(engine, kept)
    await engine.set("a/b/c", None)
    del kept["a/b/c"]
    await expect_everything(engine, kept)


@check("C1")
async def hostile_keys_delete_only_their_own(bench: Bench) -> None:
    """Deleting a key that is a pattern elsewhere removes its tree, and nothing that it matches."""
    engine = await bench.open()
    decoys = (
        "chat/abc",
        "chat/a",
        "chat/axc",
        "chat/b/x",
        "abc",
        "aXc",
        "a/b/c",
        "aa",
        "x",
        "1000",
    )
    for key in [each for each in HOSTILE if each not in LONG]:
        await _delete_among(bench, engine, key, decoys)


@check("C1")
async def generated_keys_delete_only_their_own(bench: Bench) -> None:
    """Of random trees over few, treacherous segments, a delete removes exactly one tree."""
    engine = await bench.open()
    segments = (
        "a",
        "b",
        "ab",
        "a_",
        "a%",
        "a*",
        "?",
        "[ab]",
        "a.b",
        ".*",
        "\\",
        "A",
        "a ",
        "'",
        "0",
    )
    for _ in range(bench.profile.rounds):
        keys = {
            "/".join(bench.rng.choice(segments) for _ in range(bench.rng.randint(1, 4)))
            for _ in range(15)
        }
        chosen = bench.rng.choice(sorted(keys))
        depth = bench.rng.randint(1, chosen.count("/") + 1)
        await _delete_among(bench, engine, "/".join(chosen.split("/")[:depth]), sorted(keys))


async def _delete_among(
    bench: Bench, engine: Probe, key: str, others: tuple[str, ...] | list[str]
) -> None:
    below = f"{key}/below"
    written = await fill(bench, engine, [*others, key, *([below] if len(below) < 500 else [])])
    await engine.set(key, None)
    left = {each: value for each, value in written.items() if not covers(key, each)}
    await expect_everything(engine, left)
    await remove(bench, engine, sorted({each.split("/")[0] for each in left}))


@check("C1")
async def thousands_go_at_once(bench: Bench) -> None:
    """A tree of more keys than a page or a command holds goes to its last key."""
    engine = await bench.open()
    await fill(bench, engine, [f"chat/1/message/{number}" for number in range(1_200)], chunk=400)
    await fill(bench, engine, ("chat/10", "chat/2"))
    await engine.set("chat/1", None)
    await engine.expect_list(["chat/2", "chat/10"], limit=None)
    await engine.expect_count(2)


@check("C2")
async def deleting_what_is_not_there(bench: Bench) -> None:
    """Deleting an absent key, once, twice, in an empty session, is no error and changes nothing."""
    engine = await bench.open()
    await engine.set("chat/1", None)
    kept = await fill(bench, engine, ("chat/10", "chat/1x", "chat"))
    for key in ("chat/1", "chat/1", "nothing/at/all", "chat/10/index", "ch"):
        await engine.set(key, None)
    await expect_everything(engine, kept)
    for _ in range(2):
        await engine.set("chat", None)
    await expect_everything(engine, {})


@check("C2", also=("W1",))
async def a_batch_may_delete_what_is_not_there(bench: Bench) -> None:
    """Deleting an absent key within a batch does not stop the batch."""
    engine = await bench.open()
    await engine.apply(Batch().put("a", b"1").delete("absent").put("b", b"2").delete("b/x"))
    await expect_everything(engine, {"a": b"1", "b": b"2"})


@check("C3")
async def deleted_keys_are_seen_nowhere(bench: Bench) -> None:
    """A deleted key is gone from get, get_many, list, every prefix of it, and count."""
    engine = await bench.open()
    await fill(bench, engine, (*_TREE, "chat/2"))
    await engine.set("chat/1", None)
    await engine.expect_many([*_TREE, "chat/2"], {"chat/2": value_of("chat/2")})
    for key in _TREE:
        await engine.expect_get(key, None)
    for prefix in ("", "chat", "chat/"):
        await engine.expect_list(["chat/2"], prefix)
        await engine.expect_count(1, prefix)
    for prefix in ("chat/1", "chat/1/", "chat/1/message/", "chat/1/x/y/"):
        await engine.expect_list([], prefix)
        await engine.expect_count(0, prefix)


@check("C3", also=("S1",))
async def deleted_keys_are_not_scanned(bench: Bench) -> None:
    """A deleted key is gone from scan."""
    engine = await bench.open()
    await fill(bench, engine, (*_TREE, "chat/2"))
    await engine.set("chat/1", None)
    await engine.expect_scan({"chat/2": (value_of("chat/2"), None)})


@check("C3")
async def deleted_children_do_not_come_back(bench: Bench) -> None:
    """Writing a deleted key anew brings back none of its children, nor its old value."""
    engine = await bench.open()
    await fill(bench, engine, _TREE)
    await engine.set("chat/1", None)
    await engine.set("chat/1", b"new")
    await expect_everything(engine, {"chat/1": b"new"})
    await engine.set("chat/1/message/9", b"new")
    await expect_everything(engine, {"chat/1": b"new", "chat/1/message/9": b"new"})


@check("C3", Need.PERSISTENT)
async def deleted_keys_stay_gone_after_reopening(bench: Bench) -> None:
    """A deleted tree is gone when the store is opened again; what was beside it is there."""
    engine = await bench.open()
    await fill(bench, engine, (*_TREE, "chat/2", "chat/10"))
    await engine.set("chat/1", None)
    await engine.set("chat/10", None)
    engine = await bench.reopen(engine)
    await expect_everything(engine, {"chat/2": value_of("chat/2")})
    await engine.expect_count(1)


@check("C3", Need.RESIDUE)
async def a_delete_leaves_nothing_behind(bench: Bench) -> None:
    """After everything was written, rewritten and deleted, the backend keeps what it had before."""
    engine = await bench.open()
    await engine.set("first", b"so that all that is ever made is made")
    await engine.set("first", None)
    engine.program.gap("the check looks into the backend")
    before = sorted(await bench.hooks.residue(engine.engine))
    await fill(bench, engine, (*_TREE, "chat/2/index", "a@b/c", "A/b", "a/B"))
    await fill(bench, engine, {key: b"rewritten" * 500 for key in (*_TREE, "chat/2")})
    for key in ("chat/2/index", "chat/1/x/y/z/end", "chat", "a@b", "A", "a"):
        await engine.set(key, None)
    await engine.expect_list([])
    after = sorted(await bench.hooks.residue(engine.engine))
    left = [name for name in after if name not in before]
    demand(engine, not left, f"the backend still keeps {left[:10]!r}")


@check("C4")
async def a_small_tree_goes_as_fast_from_a_large_store(bench: Bench) -> None:
    """Deleting three keys costs the same among hundreds of keys and among thousands."""
    engine = await bench.open()

    async def measure() -> float:
        return await fastest_of(engine, lambda: engine.engine.set("gone", None), before=regrow)

    async def regrow() -> None:
        for key in ("gone/1", "gone/2", "gone/3"):
            await engine.engine.set(key, b"x")

    await fill(bench, engine, _crowd(0, FEW))
    few = measure
    await expect_no_growth(
        engine, few, lambda: fill(bench, engine, _crowd(FEW, MANY), chunk=500), "a delete"
    )


@check("C4")
async def a_leaf_goes_as_fast_from_a_large_folder(bench: Bench) -> None:
    """Deleting one key costs the same with hundreds of siblings and with thousands."""
    engine = await bench.open()

    async def regrow() -> None:
        await engine.engine.set("crowd/gone", b"x")

    async def measure() -> float:
        return await fastest_of(
            engine, lambda: engine.engine.set("crowd/gone", None), before=regrow
        )

    await fill(bench, engine, _crowd(0, FEW))
    await expect_no_growth(
        engine, measure, lambda: fill(bench, engine, _crowd(FEW, MANY), chunk=500), "a delete"
    )


def _crowd(first: int, last: int) -> dict[str, bytes]:
    return {f"crowd/{number}": b"x" for number in range(first, last)}
