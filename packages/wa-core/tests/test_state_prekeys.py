"""Pre-keys: an id never means two keys, no more live than are useful, and none comes back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest
from state_bench.engines import FaultyEngine
from state_bench.identities import numbered_pairs, some_creds
from wa_core.errors import CorruptRecordError, EngineUnavailableError, StorageError, UsageError
from wa_core.state import AuthState, Creds, KeyPair
from wa_core.state.prekeys import INITIAL, LAST_ID, MOST
from wa_core.storage import MemoryEngine, MemoryStore
from wa_core.storage.layouts import CREDS

make = numbered_pairs()


async def opened(engine: FaultyEngine | None = None) -> AuthState:
    return await AuthState.open(engine or MemoryEngine(), create=True, mint=some_creds)


async def test_an_offer_is_in_the_store_with_its_counter() -> None:
    engine = FaultyEngine(MemoryEngine())
    state = await opened(engine)
    engine.applied = 0

    offered = await state.pre_keys.offer(INITIAL, generate=make)

    again = await AuthState.open(engine)
    assert list(offered) == list(range(1, INITIAL + 1))
    assert engine.applied == 1
    assert again.creds.next_pre_key_id == INITIAL + 1
    assert again.creds.first_unuploaded_pre_key_id == 1
    assert await again.keys.get("pre-key", ["812"]) == {
        "812": {"private": offered[812].private, "public": offered[812].public}
    }


async def test_what_the_server_did_not_take_is_offered_again() -> None:
    state = await opened()
    first = await state.pre_keys.offer(5, generate=make)

    again = await state.pre_keys.offer(7, generate=make)
    await state.pre_keys.taken(first)
    rest = await state.pre_keys.offer(3, generate=make)

    assert {ident: again[ident] for ident in first} == first
    assert list(again) == [1, 2, 3, 4, 5, 6, 7]
    assert list(rest) == [6, 7, 8]
    assert {ident: rest[ident] for ident in (6, 7)} == {6: again[6], 7: again[7]}


async def test_real_keys_are_made_by_the_extra() -> None:
    state = await opened()

    offered = await state.pre_keys.offer(2)

    assert all(pair.is_matched() for pair in offered.values())


async def test_an_offer_whose_write_failed_gives_nothing_away() -> None:
    engine = FaultyEngine(MemoryEngine())
    state = await opened(engine)
    engine.fault = lambda: "after"
    with pytest.raises(EngineUnavailableError):
        await state.pre_keys.offer(5, generate=make)
    engine.fault = lambda: "none"

    offered = await state.pre_keys.offer(5, generate=make)

    assert await state.pre_keys.alive() == list(offered) == [1, 2, 3, 4, 5]
    stored = await state.keys.get("pre-key", map(str, offered))
    assert stored == {
        str(ident): {"private": pair.private, "public": pair.public}
        for ident, pair in offered.items()
    }


async def test_keys_that_nobody_counted_are_not_made_anew() -> None:
    state = await opened()
    theirs = {"private": b"p" * 32, "public": b"q" * 32}
    await state.keys.set({"pre-key": {"40": theirs, "not-a-number": theirs}})

    offered = await state.pre_keys.offer(2, generate=make)

    assert list(offered) == [41, 42]
    assert await state.keys.get("pre-key", ["40"]) == {"40": theirs}


async def test_the_oldest_make_room() -> None:
    state = await opened()
    for _ in range(3):
        await state.pre_keys.taken(await state.pre_keys.offer(INITIAL, generate=make))

    alive = await state.pre_keys.alive()

    assert alive == list(range(INITIAL + 1, 3 * INITIAL + 1))
    assert len(alive) == MOST


async def test_pruning_keeps_what_the_server_lists_and_what_was_not_offered() -> None:
    state = await opened()
    await state.pre_keys.taken(await state.pre_keys.offer(10, generate=make))
    await state.pre_keys.offer(4, generate=make)

    gone = await state.pre_keys.prune(listed={1, 2, 9, 10}, keep=9)
    rest = await state.pre_keys.prune(listed={1, 2, 9, 10}, keep=0)

    assert gone == [3, 4, 5, 6, 7]
    assert rest == [8, 1, 2, 9, 10]
    assert await state.pre_keys.alive() == [11, 12, 13, 14]
    assert list(await state.pre_keys.offer(5, generate=make)) == [11, 12, 13, 14, 15]


@pytest.mark.parametrize("count", [0, -1, INITIAL + 1])
async def test_an_offer_has_bounds(count: int) -> None:
    with pytest.raises(UsageError):
        await (await opened()).pre_keys.offer(count)


async def test_the_server_cannot_take_what_was_never_made() -> None:
    state = await opened()
    await state.pre_keys.offer(3, generate=make)

    with pytest.raises(UsageError):
        await state.pre_keys.taken([4])
    await state.pre_keys.taken([])

    assert state.creds.first_unuploaded_pre_key_id == 1


async def test_ids_end_with_an_error_and_not_from_the_beginning() -> None:
    state = await opened()
    await state.update_creds(
        lambda creds: replace(
            creds, next_pre_key_id=LAST_ID - 3, first_unuploaded_pre_key_id=LAST_ID - 3
        )
    )
    await state.pre_keys.offer(3, generate=make)

    with pytest.raises(StorageError, match="link the device anew"):
        await state.pre_keys.offer(4, generate=make)

    assert await state.pre_keys.alive() == [LAST_ID - 3, LAST_ID - 2, LAST_ID - 1]


async def test_a_damaged_key_is_not_offered() -> None:
    state = await opened()
    await state.pre_keys.offer(2, generate=make)
    await state.keys.set({"pre-key": {"2": {"private": b"short"}}})

    with pytest.raises(CorruptRecordError) as caught:
        await state.pre_keys.offer(2, generate=make)

    assert caught.value.key == "session/pre-key/2"


@dataclass
class Server:
    """Holds what was uploaded, gives it to peers, and remembers every key it ever saw."""

    dice: random.Random
    held: dict[int, KeyPair] = field(default_factory=dict)
    fetched: list[int] = field(default_factory=list)
    seen: dict[int, KeyPair] = field(default_factory=dict)

    def upload(self, keys: dict[int, KeyPair]) -> None:
        for ident, pair in keys.items():
            if ident not in self.seen:
                self.seen[ident] = self.held[ident] = pair
            assert self.seen[ident] == pair, "an id means two keys"

    def hand_out(self) -> None:
        """Give the oldest keys to peers, of whom some will never write."""
        for ident in list(islice(self.held, self.dice.randrange(5))):
            del self.held[ident]
            if self.dice.random() < 0.7:
                self.fetched.append(ident)


async def reconnect(state: AuthState, server: Server) -> None:
    """Do what a client does when it connects; anything may fail in between."""
    dice = server.dice
    if len(server.held) < 5:
        offered = await state.pre_keys.offer(INITIAL if not server.held else 5, generate=make)
        if dice.random() < 0.8:
            server.upload(offered)
            if dice.random() < 0.8:
                await state.pre_keys.taken(offered)
    elif dice.random() < 0.02:
        # Baileys' own habit: more at any connect, whether they are needed or not.
        offered = await state.pre_keys.offer(dice.randrange(1, INITIAL), generate=make)
        server.upload(offered)
        await state.pre_keys.taken(offered)
    if dice.random() < 0.01:
        await state.pre_keys.prune(listed=server.held, keep=dice.randrange(INITIAL, MOST))


async def receive(state: AuthState, server: Server, gone: set[int]) -> None:
    """Use up a key that a peer was given, if it is still there."""
    ident = server.fetched.pop(server.dice.randrange(len(server.fetched)))
    async with state.transaction():
        if await state.keys.get("pre-key", [str(ident)]):
            await state.keys.set({"pre-key": {str(ident): None}})
            gone.add(ident)


@pytest.mark.once
async def test_ten_thousand_reconnects_leave_few_keys_and_use_no_id_twice() -> None:
    dice = random.Random(9)
    store, server = MemoryStore(), Server(dice)
    engine = FaultyEngine(MemoryEngine(store))
    state = await opened(engine)
    engine.fault = lambda: dice.choice(["none"] * 6 + ["before", "after"])
    gone: set[int] = set()
    counter = most = failures = 0
    creds = b""

    for _ in range(10_000):
        try:
            await reconnect(state, server)
            server.hand_out()
            if server.fetched:
                await receive(state, server, gone)
        except EngineUnavailableError:
            # As after a crash: everything is read anew.
            failures += 1
            state = await AuthState.open(engine)
        alive = store.index.count("session/pre-key/")
        most = max(most, alive)
        if creds is not store.values[CREDS]:
            creds = store.values[CREDS]
            counter, before = Creds.from_bytes(creds).next_pre_key_id, counter
            assert counter >= before

    engine.fault = lambda: "none"
    await state.settle()
    left = await state.pre_keys.alive()
    assert INITIAL < most <= MOST
    assert failures > 100
    assert len(server.seen) > 2 * MOST
    assert not gone & set(left)
