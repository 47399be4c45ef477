"""URLs: what is the driver's goes on to the driver, what is nobody's is refused."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis, SSLConnection, UnixDomainSocketConnection
from wa_core.errors import EngineUnavailableError, InvalidUrlError
from wa_core.storage import EngineUrl, list_sessions, open_engine
from wa_engine_redis.client import connected
from wa_engine_redis.keys import KeySpace, split


def client_of(text: str) -> Redis:
    client = connected(EngineUrl.parse(text))
    assert isinstance(client, Redis)
    return client


def test_every_part_of_a_url_reaches_the_driver() -> None:
    client = client_of(
        "rediss://us%40er:p%3Ass@h.example:6390/3?ssl_ca_certs=/ca%20file&ssl_check_hostname=false"
        "&health_check_interval=7&prefix=bots&durability=power&timeout=3#one"
    )

    pool = client.connection_pool
    assert pool.connection_class is SSLConnection
    given = pool.connection_kwargs
    assert (given["host"], given["port"], given["db"]) == ("h.example", 6390, 3)
    assert (given["username"], given["password"]) == ("us@er", "p:ss")
    assert (given["ssl_ca_certs"], given["ssl_check_hostname"]) == ("/ca file", False)
    assert given["health_check_interval"] == 7
    assert given["socket_connect_timeout"] == 3


@pytest.mark.parametrize(
    ("text", "host", "port", "db"),
    [
        ("redis:", None, None, None),
        ("redis:cache", "cache", None, None),
        ("redis:cache:6390/2", "cache", 6390, 2),
        ("redis://cache/2?db=4", "cache", None, 4),
    ],
)
def test_short_forms_are_full_ones(
    text: str, host: str | None, port: int | None, db: int | None
) -> None:
    given = client_of(text).connection_pool.connection_kwargs

    assert (given.get("host"), given.get("port"), given.get("db")) == (host, port, db)


@pytest.mark.parametrize("text", ["unix:/run/redis.sock?db=2", "unix:///run/redis.sock?db=2"])
def test_a_socket_is_a_path(text: str) -> None:
    pool = client_of(text).connection_pool

    assert pool.connection_class is UnixDomainSocketConnection
    assert (pool.connection_kwargs["path"], pool.connection_kwargs["db"]) == ("/run/redis.sock", 2)


@pytest.mark.parametrize(
    "text",
    [
        "redis://h/zero",
        "redis://h/0/1",
        "redis://h:port/0",
        "redis://h/0?db=one",
        "redis://h/0?ssl_ca_certs=/ca",
        "redis://h/0?decode_responses=1",
        "redis://h/0?sockettimeout=1",
        "redis://h/0?replicas=all",
        "redis://h/0?cluster=perhaps",
        "unix:/run/redis.sock?ssl_ca_certs=/ca",
    ],
)
async def test_what_nobody_understands_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrlError):
        await open_engine(text)


async def test_nobody_there_is_unavailable_and_not_absent() -> None:
    with pytest.raises(EngineUnavailableError):
        await open_engine("redis://127.0.0.1:1/0?timeout=1")


async def test_places_and_databases_are_apart(place: str) -> None:
    other = place.replace("/0?", "/1?")
    async with await open_engine(f"{place}#one") as engine:
        await engine.set("k", b"1")
    async with await open_engine(f"{place}-2#two") as engine:
        await engine.set("k", b"2")

    assert await list_sessions(place) == ["one"]
    assert await list_sessions(f"{place}-2") == ["two"]
    assert await list_sessions(other) == []


async def test_a_session_that_holds_nothing_is_not_listed(place: str) -> None:
    async with await open_engine(f"{place}#full") as engine:
        await engine.set("k", b"1")
    async with await open_engine(f"{place}#empty") as engine:
        await engine.set("k", b"1")
        await engine.clear()

    assert await list_sessions(place) == ["full"]


def test_the_last_colon_divides_place_and_session() -> None:
    assert split("wa:default") == ("wa", "default")
    assert split("app:prod:bot") == ("app:prod", "bot")
    assert split("app") == ("app", "default")


def test_no_two_sessions_share_a_name() -> None:
    names = ["wa", "wa:1", "wa%3A1", "1", "x:creds", "{x}", "}", "%", "a b", "é", "", ":", "1:x"]
    prefixes = {KeySpace.of(place, name).prefix for place in names for name in names}

    assert len(prefixes) == len(names) ** 2
    assert not [one for one in prefixes for two in prefixes if one != two and two.startswith(one)]
    assert all(prefix.count(b":") == 2 for prefix in prefixes)
    assert KeySpace.of("wa", "default").value("session/creds") == b"wa:default:session/creds"
    tagged = {KeySpace.of(place, name, tagged=True).prefix for place in names for name in names}
    assert all(one.startswith(b"{") and one.endswith(b"}:") for one in tagged)
    assert all(one.count(b"{") == one.count(b"}") == 1 for one in tagged)
