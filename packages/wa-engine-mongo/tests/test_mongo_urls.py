"""URLs: what is the driver's goes on to the driver, what would have no effect is refused."""

from __future__ import annotations

import traceback

import pytest
from wa_core.errors import EngineUnavailableError, InvalidUrlError, WaError
from wa_core.storage import EngineUrl, list_sessions, open_engine
from wa_engine_mongo.parameters import DRIVER
from wa_engine_mongo.provider import Client, connect


async def client_of(text: str, timeout: float = 3.0) -> tuple[Client, str]:
    client, database = connect(EngineUrl.parse(text), timeout)
    await client.close()
    return client, database


async def test_every_part_of_a_url_reaches_the_driver() -> None:
    client, database = await client_of(
        "mongodb://us%40er:p%3Ass@one.example:27018,two.example/app?authSource=people"
        "&replicaSet=rs7&tls=true&tlsAllowInvalidHostnames=true&maxPoolSize=7&appName=bots"
        "&connectTimeoutMS=1500#5491"
    )

    assert database == "app"
    assert client._topology_settings.seeds == {("one.example", 27018), ("two.example", 27017)}
    given = client.options
    assert given.replica_set_name == "rs7"
    assert given.pool_options.max_pool_size == 7
    assert given.pool_options.appname == "bots"
    assert given.pool_options.connect_timeout == 1.5
    assert given.pool_options.socket_timeout == 3.0
    assert given.server_selection_timeout == 3.0
    assert given.pool_options._ssl_context is not None
    credentials = given.pool_options._credentials
    assert credentials is not None
    assert (credentials.username, credentials.source) == ("us@er", "people")


@pytest.mark.parametrize(
    ("text", "host", "database"),
    [
        ("mongo:h", ("h", 27017), "wa"),
        ("mongo:h/app", ("h", 27017), "app"),
        ("mongo:h:27018/app", ("h", 27018), "app"),
        ("mongodb://h", ("h", 27017), "wa"),
        ("mongodb://h/", ("h", 27017), "wa"),
        ("mongodb://h/app", ("h", 27017), "app"),
        ("MONGO://h/app", ("h", 27017), "app"),
    ],
)
async def test_short_forms_are_full_ones(text: str, host: tuple[str, int], database: str) -> None:
    client, found = await client_of(text)

    assert client._topology_settings.seeds == {host}
    assert found == database


@pytest.mark.parametrize(
    "text",
    [
        "mongodb:",
        "mongodb:///app",
        "mongodb://h/app/deeper",
        "mongodb://h:port/app",
        "mongodb://h?w=1",
        "mongodb://h?journal=false",
        "mongodb://h?readPreference=secondary",
        "mongodb://h?readConcernLevel=local",
        "mongodb://h?tz_aware=true",
        "mongodb://h?maxPoolSize=many",
        "mongodb://h?no_such=1",
    ],
)
async def test_what_would_be_dropped_or_weakened_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrlError):
        await open_engine(text)


async def test_what_the_engine_does_anyway_may_be_said(place: str) -> None:
    joint = "&" if "?" in place else "?"
    async with await open_engine(f"{place}{joint}w=majority&journal=true") as engine:
        await engine.set("k", b"1")

    assert await list_sessions(place) == ["default"]


@pytest.mark.parametrize("name", DRIVER)
async def test_a_parameter_of_the_driver_keeps_a_secret_value_to_itself(name: str) -> None:
    with pytest.raises(WaError) as refused:
        await open_engine(f"mongodb://127.0.0.1:1/app?{name}=c4n4ry&timeout=0.1")

    told = "".join(traceback.format_exception(refused.value)).splitlines()
    assert "c4n4ry" not in "".join(line for line in told if not line.startswith("    "))
    assert "c4n4ry" not in f"{refused.value} {refused.value!r}"


async def test_a_server_that_is_not_there_is_unavailable_in_time() -> None:
    with pytest.raises(EngineUnavailableError):
        await open_engine("mongodb://127.0.0.1:1/app?timeout=0.3")
