"""D2: each setting that weakens the promise, on a real server that was started that way."""

from __future__ import annotations

import pytest
from pymongo import AsyncMongoClient
from wa_conformance.servers import MongoServer, Settings, needed
from wa_core.errors import EngineConfigError, StoreVersionError
from wa_core.storage import Batch, Durability, EngineUrl, open_engine
from wa_engine_mongo import MongoEngine
from wa_engine_mongo.place import RECORDS
from wa_engine_mongo.provider import connect

pytestmark = pytest.mark.once


async def test_a_server_with_its_journal_gives_power(place: str) -> None:
    async with await open_engine(place) as engine:
        assert engine.capabilities.durability is Durability.POWER
        assert engine.capabilities.shared


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"nojournal": True}, "storage.journal.enabled"),
        ({"storageEngine": "ephemeralForTest"}, "storage.engine"),
    ],
)
async def test_a_server_that_keeps_nothing_for_sure_is_refused(
    settings: Settings, setting: str
) -> None:
    with needed(lambda: MongoServer(settings=settings)) as server:
        for url in (server.url, f"{server.url}?durability=power"):
            with pytest.raises(EngineConfigError) as refused:
                await open_engine(url)

            assert refused.value.setting == setting
            assert refused.value.fix


async def test_a_set_that_acknowledges_from_memory_is_told_to_wait_for_the_disk() -> None:
    def in_memory_majority() -> MongoServer:
        return MongoServer(members=1)

    with needed(in_memory_majority) as server:
        async with AsyncMongoClient[dict[str, object]](server.url) as client:
            found = await client.admin.command("replSetGetConfig")
            config = found["config"]
            config["version"] += 1
            config["writeConcernMajorityJournalDefault"] = False
            await client.admin.command("replSetReconfig", config)

        async with await open_engine(server.url) as engine:
            await engine.set("session/creds", b"1")

            assert engine.capabilities.durability is Durability.POWER
        server.kill()
        server.restart()
        async with await open_engine(server.url) as engine:
            assert await engine.get("session/creds") == b"1"


@pytest.mark.parametrize("level", ["process", "volatile"])
async def test_what_mongodb_does_not_offer_is_refused_by_name(place: str, level: str) -> None:
    with pytest.raises(EngineConfigError):
        await open_engine(f"{place}{'&' if '?' in place else '?'}durability={level}")


async def test_a_collection_that_folds_case_is_refused(place: str) -> None:
    client, database = connect(EngineUrl.parse(place), 10.0)
    async with client:
        folding = {"locale": "en", "strength": 1}
        await client[database].create_collection(RECORDS, collation=folding)

        with pytest.raises(EngineConfigError, match="collation"):
            await open_engine(place)


async def test_an_engine_on_a_client_of_its_users_looks_at_the_server_too(place: str) -> None:
    client, database = connect(EngineUrl.parse(place), 10.0)
    async with client:
        async with MongoEngine(client[database], session="one") as engine:
            await engine.set("k", b"1")
        await client[database][RECORDS].update_one({"_id": "one\0"}, {"$inc": {"version": 1}})

        with pytest.raises(StoreVersionError):
            await MongoEngine(client[database], session="one").get("k")

        assert (await client.admin.command("ping"))["ok"]


async def test_a_batch_beyond_the_cache_of_the_server_says_what_to_raise() -> None:
    small: Settings = {"wiredTigerCacheSizeGB": 0.25}
    with needed(lambda: MongoServer(members=1, settings=small)) as server:
        async with await open_engine(f"{server.url}&timeout=60") as engine:
            batch = Batch()
            for number in range(12):
                batch.put(f"large/{number}", bytes(8_000_000))

            with pytest.raises(EngineConfigError) as refused:
                await engine.apply(batch)

            assert refused.value.setting.endswith("cacheSizeGB")
            assert await engine.list() == []
            await engine.set("k", b"1")
