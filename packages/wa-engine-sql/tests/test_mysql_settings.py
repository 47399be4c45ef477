"""D2 on MariaDB: each setting that weakens the promise, on a server that was started that way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from wa_conformance.servers import MariaDbServer, needed
from wa_core.errors import EngineConfigError
from wa_core.storage import Durability, open_engine

pytestmark = pytest.mark.once


@contextmanager
def server_with(settings: dict[str, object]) -> Iterator[str]:
    with needed(lambda: MariaDbServer(settings=settings)) as server:
        yield server.url


async def level_of(url: str) -> Durability:
    async with await open_engine(url) as engine:
        return engine.capabilities.durability


async def refusal_of(url: str) -> EngineConfigError:
    with pytest.raises(EngineConfigError) as refused:
        await open_engine(url)
    return refused.value


async def test_a_log_that_is_flushed_at_every_commit_gives_power(
    schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert await level_of(schema) is Durability.POWER

    assert not caplog.records


@pytest.mark.parametrize(
    ("settings", "level", "setting"),
    [
        (
            {"innodb-flush-log-at-trx-commit": 0},
            Durability.VOLATILE,
            "innodb_flush_log_at_trx_commit=0",
        ),
        (
            {"innodb-flush-log-at-trx-commit": 2},
            Durability.PROCESS,
            "innodb_flush_log_at_trx_commit=2",
        ),
        ({"log-bin": "log", "sync-binlog": 0}, Durability.PROCESS, "sync_binlog=0"),
        ({"innodb-doublewrite": 0}, Durability.PROCESS, "innodb_doublewrite=0"),
    ],
    ids=["no-flush", "flush-to-the-system", "binary-log-not-synced", "no-doublewrite"],
)
async def test_a_weaker_setting_of_innodb_is_named_and_no_more_is_promised(
    settings: dict[str, object],
    level: Durability,
    setting: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with server_with(settings) as url:
        with caplog.at_level(logging.WARNING):
            assert await level_of(url) is level
        assert level in caplog.text

        assert (await refusal_of(f"{url}?durability=power")).setting == setting
        assert await level_of(f"{url}?durability={level}") is level


async def test_a_server_that_takes_no_large_message_is_refused_by_setting_and_fix() -> None:
    with server_with({"max-allowed-packet": "4M"}) as url:
        refused = await refusal_of(url)

        assert refused.setting == "max_allowed_packet=4194304"
        assert "16M" in refused.fix


async def test_a_binary_log_of_statements_is_refused() -> None:
    settings = {"log-bin": "log", "sync-binlog": 1, "binlog-format": "STATEMENT"}
    with server_with(settings) as url:
        assert (await refusal_of(url)).setting == "binlog_format=STATEMENT"


async def test_a_table_that_innodb_does_not_keep_is_refused(schema: str, onlooker: Any) -> None:
    assert await level_of(schema) is Durability.POWER
    await onlooker.query(f"ALTER TABLE {schema.rpartition('/')[2]}.wa_records ENGINE = Aria")

    refused = await refusal_of(schema)

    assert "wa_records is of Aria" in refused.setting
    assert "ENGINE = InnoDB" in refused.fix


async def test_keys_that_a_collation_would_fold_are_refused(schema: str, onlooker: Any) -> None:
    assert await level_of(schema) is Durability.POWER
    table = f"{schema.rpartition('/')[2]}.wa_records"
    await onlooker.query(
        f"ALTER TABLE {table} MODIFY `key` VARCHAR(512) COLLATE utf8mb4_general_ci NOT NULL"
    )

    refused = await refusal_of(schema)

    assert "wa_records.key is varchar(512)" in refused.setting
    assert "varbinary(512)" in refused.fix


async def test_what_the_url_names_wrongly_is_named(schema: str) -> None:
    place = schema.rpartition("/")[0]

    for wrong, word in (
        (place, "no database"),
        (f"{place}/nowhere", "the database"),
        (schema.replace("root@", "nobody:s3cr3t-w0rd@"), "the credentials"),
    ):
        refused = await refusal_of(wrong)
        assert refused.setting == word
        assert "s3cr3t" not in f"{refused}{refused!r}"
