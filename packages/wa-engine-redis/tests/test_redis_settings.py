"""D2: each setting that weakens the promise, on a real server that was started that way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from wa_conformance.servers import RedisServer, needed
from wa_core.errors import EngineConfigError, EngineUnavailableError
from wa_core.storage import Durability, open_engine
from wa_engine_redis import RedisEngine

pytestmark = pytest.mark.once


@contextmanager
def server_with(**settings: str) -> Iterator[str]:
    given = {name.replace("_", "-"): value for name, value in settings.items()}
    with needed(lambda: RedisServer(settings=given)) as server:
        yield server.url


async def level_of(url: str) -> Durability:
    async with await open_engine(url) as engine:
        return engine.capabilities.durability


async def test_a_log_that_is_synced_before_the_reply_gives_power(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert await level_of(place) is Durability.POWER

    assert not caplog.records


@pytest.mark.parametrize(
    ("settings", "level", "setting"),
    [
        ({"appendonly": "no"}, Durability.VOLATILE, "appendonly"),
        ({"appendfsync": "everysec"}, Durability.VOLATILE, "appendfsync"),
        ({"appendfsync": "no"}, Durability.PROCESS, "appendfsync"),
        ({"no_appendfsync_on_rewrite": "yes"}, Durability.PROCESS, "no-appendfsync-on-rewrite"),
    ],
)
async def test_a_weaker_setting_is_named_once_and_no_more_is_promised(
    settings: dict[str, str], level: Durability, setting: str, caplog: pytest.LogCaptureFixture
) -> None:
    with server_with(**settings) as url, caplog.at_level(logging.WARNING):
        assert await level_of(url) is level

        assert [setting in record.getMessage() for record in caplog.records] == [True]
        with pytest.raises(EngineConfigError, match=setting):
            await open_engine(f"{url}?durability=power")


async def test_an_evicting_redis_is_refused_by_setting_and_fix() -> None:
    with server_with(maxmemory="50mb", maxmemory_policy="allkeys-lru") as url:
        with pytest.raises(EngineConfigError) as refused:
            await open_engine(url)

        assert refused.value.setting == "maxmemory-policy allkeys-lru"
        assert "noeviction" in refused.value.fix
        assert await level_of(f"{url}?allow_eviction=1") is Durability.POWER


async def test_a_policy_that_spares_keys_without_a_time_to_live_is_none() -> None:
    with server_with(maxmemory="50mb", maxmemory_policy="volatile-lru") as url:
        assert await level_of(url) is Durability.POWER


async def test_a_full_redis_refuses_and_keeps_what_it_has() -> None:
    with server_with(maxmemory="8mb") as url:
        async with await open_engine(url) as engine:
            await engine.set("session/creds", b"kept")

            async def fill() -> None:
                for number in range(100):
                    await engine.set(f"chat/{number}", bytes(200_000))

            with pytest.raises(EngineUnavailableError, match="maxmemory"):
                await fill()

            assert await engine.get("session/creds") == b"kept"
            listed = await engine.list("chat/", limit=None)
            assert len(await engine.get_many(listed)) == len(listed)


async def test_where_config_is_forbidden_info_says_what_it_knows() -> None:
    forbidden = {"rename-command": 'CONFIG ""'}
    with server_with(**forbidden) as url:
        assert await level_of(url) is Durability.VOLATILE
        with pytest.raises(EngineConfigError, match="CONFIG GET"):
            await open_engine(f"{url}?durability=process")
    evicting = {"maxmemory": "50mb", "maxmemory-policy": "allkeys-lru"}
    with server_with(**forbidden, **evicting) as url, pytest.raises(EngineConfigError) as refused:
        await open_engine(url)
    assert "allkeys-lru" in str(refused.value)


async def test_an_engine_on_a_client_looks_before_its_first_call(client: Any) -> None:
    engine = RedisEngine(client, "settings:lazy")
    before = engine.capabilities.durability

    await engine.get("k")

    assert (before, engine.capabilities.durability) == (Durability.VOLATILE, Durability.POWER)
    await engine.close()
    assert await client.ping()


async def test_a_password_is_asked_for_and_not_told() -> None:
    with server_with(requirepass="s3cr3t-w0rd") as url:
        host = url.removeprefix("redis://")
        assert await level_of(f"redis://:s3cr3t-w0rd@{host}") is Durability.POWER
        assert await level_of(f"redis://{host}?password=s3cr3t-w0rd") is Durability.POWER
        for wrong in (url, f"redis://:wr0ng-w0rd@{host}"):
            with pytest.raises(EngineConfigError) as refused:
                await open_engine(wrong)
            assert "wr0ng" not in f"{refused.value!r} {refused.value.__cause__!r}"
