"""`baileys-mongo:` on real servers: one document for each number, as the other tool has it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from pymongo.asynchronous.collection import AsyncCollection
from wa_conformance.baileys.samples import OTHERS, RECORDS, batch_of
from wa_core.errors import (
    CorruptRecordError,
    EngineConfigError,
    InvalidUrlError,
    ReadOnlyError,
    UnsupportedError,
    ValueTooLargeError,
)
from wa_core.storage import Batch, Durability, Engine, EngineUrl, list_sessions, open_engine
from wa_core.storage.layouts import CREDS, KINDS, dumps, key_of, loads
from wa_engine_mongo.layouts.engine import DocumentEngine
from wa_engine_mongo.provider import connect

pytestmark = pytest.mark.once

NUMBER = "15550000002"
MOVE = "wa/move"
IDS = ("1", "A/B+c==", "1_1.0", "g@g.us::1_1::0", "%2F%", "ñ-\U0001f600", "a.b$c", "__proto__", "")
STATE = {
    "creds": {"noiseKey": {"private": b"\x01" * 32}, "registered": True, "me": {"id": "1:2@s"}},
    "keys": {"pre-key": {"1": {"public": b"\x02"}}, "lid-mapping": {"1": "2"}},
}


@pytest.fixture
def url(place: str) -> str:
    """Name the document of a number in a database of the test's own."""
    return f"baileys-mongo:{place}#{NUMBER}"


@pytest.fixture
async def collection(place: str) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    """Look at the collection as the other tool does."""
    client, database = connect(EngineUrl.parse(place), 10.0)
    yield client[database]["whatsapp_sessions"]
    await client.close()


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    """Open the document."""
    async with await open_engine(url) as found:
        yield found


def text_of(state: object) -> str:
    return b64encode(dumps(state)).decode()


async def everything(engine: Engine) -> dict[str, bytes]:
    return {entry.key: entry.value async for entry in engine.scan()}


@pytest.mark.parametrize("number", [NUMBER, int(NUMBER)])
async def test_what_the_other_tool_wrote_is_read(
    url: str, collection: AsyncCollection[dict[str, Any]], number: object
) -> None:
    await collection.insert_one({"number": number, "data": text_of(STATE), "name": "theirs"})

    async with await open_engine(url) as engine:
        assert await everything(engine) == {
            CREDS: dumps(STATE["creds"]),
            key_of("pre-key", "1"): dumps({"public": b"\x02"}),
            key_of("lid-mapping", "1"): b'"2"',
        }
        await engine.set(key_of("pre-key", "1"), None)
        await engine.set(MOVE, b"\x00any bytes")

    found = await collection.find_one({})
    assert found is not None
    assert (found["number"], found["name"]) == (number, "theirs")
    keys = {"pre-key": {}, "lid-mapping": {"1": "2"}}
    assert loads(b64decode(found["data"])) == {"creds": STATE["creds"], "keys": keys}


async def test_what_we_wrote_is_what_the_other_tool_reads(
    engine: Engine, collection: AsyncCollection[dict[str, Any]]
) -> None:
    batch = Batch().put(CREDS, dumps(STATE["creds"]))
    values = {key_of(kind, ident): dumps([kind, b"\x00"]) for kind in KINDS for ident in IDS}
    for key, value in values.items():
        batch.put(key, value)

    await engine.apply(batch)

    assert await everything(engine) == {CREDS: dumps(STATE["creds"]), **values}
    assert await engine.get_many([*values, "session/none"]) == values
    assert await engine.count("session/pre-key/") == len(IDS)
    assert await engine.list(limit=None) == sorted([CREDS, *values])
    found = await collection.find_one({"number": NUMBER})
    assert found is not None
    keys = {kind: {ident: [kind, b"\x00"] for ident in IDS} for kind in KINDS}
    assert loads(b64decode(found["data"])) == {"creds": STATE["creds"], "keys": keys}
    assert found["updatedAt"] is not None
    await collection.update_one({"number": NUMBER}, {"$set": {"data": text_of(STATE)}})
    assert await engine.get(key_of("lid-mapping", "1")) == b'"2"'


async def test_the_records_that_all_layouts_are_tried_on_come_back(engine: Engine) -> None:
    assert isinstance(engine, DocumentEngine)
    assert all(engine.holds(key) for key in RECORDS)
    assert not any(engine.holds(key) for key in OTHERS)

    await engine.apply(batch_of(RECORDS))

    assert await everything(engine) == RECORDS


async def test_changes_from_many_sides_are_all_kept(url: str) -> None:
    engines = [await open_engine(url) for _ in range(8)]

    async with asyncio.TaskGroup() as group:
        for number, engine in enumerate(engines):
            for step in range(4):
                key = key_of("pre-key", f"{number}-{step}")
                group.create_task(engine.set(key, b"%d" % number))

    assert await engines[0].count() == 32
    for engine in engines:
        await engine.close()


async def test_two_numbers_never_see_each_other(url: str) -> None:
    numbers = [NUMBER, f"0{NUMBER}", f"{NUMBER} ", "Bot", "bot", "$where"]
    base = EngineUrl.parse(url)
    engines = {number: await open_engine(base.with_session(number)) for number in numbers}
    for number, engine in engines.items():
        await engine.set(CREDS, json.dumps(number))

    assert await list_sessions(url) == sorted(numbers)
    await engines["Bot"].clear()
    await engines["bot"].set("session", None)

    for number, engine in engines.items():
        expected = None if number.lower() == "bot" else json.dumps(number).encode()
        assert await engine.get(CREDS) == expected
        await engine.close()
    assert await list_sessions(url) == sorted(set(numbers) - {"Bot", "bot"})


async def test_deletes_take_what_they_name_and_leave_no_document(
    engine: Engine, collection: AsyncCollection[dict[str, Any]]
) -> None:
    await engine.apply(
        Batch()
        .put(key_of("pre-key", "1"), b"{}")
        .put(key_of("pre-key", "11"), b"{}")
        .put(CREDS, b"{}")
        .put(MOVE, b"x")
    )

    await engine.set(key_of("pre-key", "1"), None)
    await engine.set("session/pre", None)
    assert await engine.list() == [CREDS, key_of("pre-key", "11"), MOVE]
    await engine.apply(Batch().delete("wa").delete("session").put(CREDS, b"[]").delete(CREDS))

    assert await engine.count() == 0
    assert await collection.count_documents({}) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"data": ""},
        {"data": "no base64!"},
        {"data": 7},
        {"data": None},
        {"data": b64encode(b"{}").decode()},
        {"data": text_of(STATE["creds"])},
        {"data": b64encode(b"\xff").decode()},
        {"data": b64encode(b'{"creds":{').decode()},
        {"data": text_of({"creds": None})},
        {"data": text_of(STATE), "wa_move": "text"},
    ],
)
async def test_what_cannot_be_read_is_never_absent_and_never_written_over(
    url: str, collection: AsyncCollection[dict[str, Any]], fields: dict[str, object]
) -> None:
    await collection.insert_one({"_id": 1, "number": NUMBER, **fields})

    async with await open_engine(url) as engine:
        with pytest.raises(CorruptRecordError):
            await engine.get(CREDS)
        with pytest.raises(CorruptRecordError):
            await engine.set(CREDS, b"{}")

    assert await collection.find_one({}) == {"_id": 1, "number": NUMBER, **fields}


async def test_two_documents_of_one_number_are_damage(
    url: str, collection: AsyncCollection[dict[str, Any]]
) -> None:
    await collection.insert_many([{"number": number} for number in (NUMBER, int(NUMBER))])

    async with await open_engine(url) as engine:
        with pytest.raises(CorruptRecordError, match="two documents"):
            await engine.get(CREDS)


async def test_what_has_no_place_is_refused_before_anything_is_written(engine: Engine) -> None:
    assert isinstance(engine, DocumentEngine)
    for key, value in (("contact/1/index", b"{}"), ("wa/other", b"x"), (CREDS, b"null")):
        with pytest.raises(UnsupportedError):
            await engine.apply(Batch().put(MOVE, b"x").put(key, value))

    assert await engine.count() == 0
    keys = (CREDS, MOVE, key_of("newkind", "1"), "chat/1", "session/a/b/c", key_of("pre-key-x", ""))
    assert [key for key in keys if engine.holds(key)] == [CREDS, MOVE, key_of("newkind", "1")]
    assert engine.canonical(CREDS, b" {} \n") == b"{}"
    assert engine.canonical(MOVE, b" ") == b" "


async def test_a_document_has_room_for_16_mib(url: str, engine: Engine) -> None:
    large = b'"%s"' % (b"x" * 6_200_000)
    await engine.set(key_of("session", "1"), large)

    async with await open_engine(url) as other, asyncio.TaskGroup() as group:
        group.create_task(engine.set(key_of("pre-key", "1"), large[:-3_000_000] + b'"'))
        group.create_task(other.set(key_of("pre-key", "2"), b"{}"))
    with pytest.raises(ValueTooLargeError):
        await engine.set(key_of("session", "2"), large)

    assert await engine.get(key_of("session", "1")) == large
    assert await engine.count("session/pre-key/") == 2


async def test_every_write_is_later_than_the_last_also_when_the_clock_steps_back(
    engine: Engine, collection: AsyncCollection[dict[str, Any]]
) -> None:
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    await engine.set(CREDS, b"{}")
    await collection.update_one({}, {"$set": {"updatedAt": tomorrow}})

    await engine.set(CREDS, b"[]")

    found = await collection.find_one({})
    assert found is not None
    assert found["updatedAt"].replace(tzinfo=UTC) == tomorrow + timedelta(milliseconds=1)


async def test_the_collation_of_a_collection_changes_nothing(
    url: str, collection: AsyncCollection[dict[str, Any]]
) -> None:
    await collection.database.create_collection(
        collection.name, collation={"locale": "en", "strength": 1}
    )
    base = EngineUrl.parse(url)
    async with (
        await open_engine(base.with_session("A")) as one,
        await open_engine(base.with_session("a")) as two,
    ):
        await one.set(CREDS, b'"A"')
        await two.set(CREDS, b'"a"')

        assert await one.get(CREDS) == b'"A"'
        assert await two.get(CREDS) == b'"a"'


async def test_a_reader_writes_nothing_and_makes_nothing(
    url: str, collection: AsyncCollection[dict[str, Any]]
) -> None:
    async with await open_engine(url, read_only=True) as engine:
        assert await engine.get(CREDS) is None
        assert await everything(engine) == {}
        with pytest.raises(ReadOnlyError):
            await engine.set(CREDS, b"{}")

    assert await collection.database.list_collection_names() == []


async def test_what_is_promised_and_what_is_not(place: str, engine: Engine) -> None:
    assert engine.capabilities.durability is Durability.POWER
    assert not engine.capabilities.claims & {"L1", "O1", "K1", "V1"}
    with pytest.raises(UnsupportedError):
        await engine.acquire("worker", 5)
    for params in ({"durability": "process"}, {"collection": "$x"}, {"colection": "x"}):
        with pytest.raises((EngineConfigError, InvalidUrlError)):
            await open_engine(f"baileys-mongo:{place.partition('?')[0]}?{urlencode(params)}")


async def test_short_urls_and_other_collections_work(alone: str) -> None:
    bare = f"baileys-mongo:{alone.removeprefix('mongodb:')}"

    async with await open_engine(f"{bare}?collection=others#1") as other:
        await other.set(CREDS, b"{}")

    assert await list_sessions(f"{bare}?collection=others") == ["1"]
    assert await list_sessions(bare) == []
