"""Folders with and without a sorted set of their own: lists are the same, and nothing stays."""

from __future__ import annotations

import random
from typing import Any

import pytest
from wa_conformance.model import Delete, Model, Put, Step
from wa_core.storage import Batch
from wa_core.storage import Delete as Remove
from wa_engine_redis import RedisEngine

SMALL = 64
FOLDERS = ("", "a/", "a/b/", "a/b/c/", "a/b!/", "a/b-c/", "d/", "d/é/", "d/é/x/")


def keys_of(dice: random.Random, count: int) -> list[str]:
    return [f"{dice.choice(FOLDERS)}k{dice.randrange(150)}" for _ in range(count)]


async def rows(client: Any, engine: RedisEngine) -> dict[str, set[str]]:
    """Read the index without the engine: each folder that has rows of its own, and its keys."""
    found: dict[str, set[str]] = {}
    by_age = engine.space.by_age
    async for name in client.scan_iter(count=1000):
        if name.startswith(by_age):
            folder = name[len(by_age) :].decode()
            members = await client.zrange(name, 0, -1)
            found[folder] = {folder + member.decode() for member in members}
    return found


@pytest.mark.parametrize("seed", range(2))
async def test_lists_follow_the_model_while_folders_grow_and_shrink(client: Any, seed: int) -> None:
    dice, model = random.Random(seed), Model()
    engine = RedisEngine(client, f"folders:{seed}-{dice.random()}")
    for turn in range(40):
        batch, steps = Batch(), list[Step]()
        for key in keys_of(dice, dice.choice((1, 3, 40, 200))):
            at = dice.randrange(20)
            batch.put(key, b"x", at=at)
            steps.append(Put(key, b"x", at))
        if turn % 3 == 2:
            gone = dice.choice([*FOLDERS[1:], *keys_of(dice, 3)]).rstrip("/")
            batch.delete(gone)
            steps.append(Delete(gone))
        await engine.apply(batch)
        model.apply(steps, clock=0)

        for prefix in (*FOLDERS, "a", "a/b", "d/é", "k1", "a/b/k", "x"):
            offset, limit = dice.randrange(5), dice.choice((None, 1, 30))
            listed = model.listed(prefix)[offset:][:limit]
            assert await engine.list(prefix, offset, limit) == listed
            assert await engine.count(prefix) == len(model.begins(prefix))

    keys = set(model.listed())
    for folder, held in (await rows(client, engine)).items():
        assert held == {key for key in keys if key.startswith(folder)}
    await engine.clear()
    assert await rows(client, engine) == {}
    assert [name async for name in client.scan_iter(match=f"*{seed}-*:/in/*")] == []
    await engine.close()


@pytest.mark.parametrize("seed", range(4))
async def test_deletes_and_puts_of_one_batch_take_effect_in_their_order(
    client: Any, seed: int
) -> None:
    dice, model = random.Random(seed), Model()
    engine = RedisEngine(client, f"folders:mixed-{seed}")
    for _ in range(12):
        batch, steps = Batch(), list[Step]()
        for key in keys_of(dice, 300):
            # Often a key, sometimes a folder with all that was collected below it.
            gone = dice.choice((key, key, key, key[: key.rfind("/") + 1].rstrip("/") or key))
            step = dice.choice((Put(key, b"x", dice.randrange(20)), Delete(gone)))
            if isinstance(step, Put):
                batch.put(step.key, b"x", at=step.at)
            else:
                batch.delete(step.key)
            steps.append(step)
        await engine.apply(batch)
        model.apply(steps, clock=0)

        for folder in FOLDERS:
            assert await engine.list(folder, limit=None) == model.listed(folder)
            assert await engine.count(folder) == len(model.begins(folder))

    keys = model.listed()
    assert set(await engine.get_many(keys)) == set(keys)
    await engine.apply(Batch(map(Remove, keys)))
    left = {name async for name in client.scan_iter(match=f"*mixed-{seed}*")}
    assert left == {engine.space.meta}
    await engine.close()


async def test_a_small_folder_has_no_rows_of_its_own(client: Any) -> None:
    engine = RedisEngine(client, "folders:threshold")
    for number in range(SMALL):
        await engine.set(f"chat/{number}", b"x")
    before = await rows(client, engine)

    await engine.set("chat/more", b"x")

    assert set(before) == {""}
    assert set(await rows(client, engine)) == {"", "chat/"}
    await engine.clear()
    await engine.close()


async def test_a_long_partial_prefix_is_walked_in_order(client: Any) -> None:
    engine = RedisEngine(client, "folders:partial")
    batch = Batch()
    for number in range(3_000):
        batch.put(f"chat/{number % 2}-{number}", b"")
    await engine.apply(batch)
    expected = [f"chat/0-{number}" for number in range(2_998, -1, -2)]

    assert await engine.list("chat/0", limit=None) == expected
    assert await engine.list("chat/0", 1_200, 40) == expected[1_200:1_240]
    assert await engine.list("cha", 2_990, 40) == [f"chat/{n % 2}-{n}" for n in range(9, -1, -1)]

    await engine.clear()
    await engine.close()
