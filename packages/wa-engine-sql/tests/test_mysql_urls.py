"""`mysql:` and `mariadb:` URLs: every part of them reaches the driver."""

from __future__ import annotations

import pytest
from wa_core.errors import EngineConfigError, InvalidUrlError, WaError
from wa_core.storage import EngineUrl, open_engine
from wa_engine_sql.mysql_url import arguments


def read(url: str) -> dict[str, object]:
    return arguments(EngineUrl.parse(url))


def test_every_part_of_the_place_goes_to_the_driver() -> None:
    given = read("mysql://us%40er:p%3A%C3%A4ss%2F@h.example:3307/my%20db#bot")

    assert given["user"] == "us@er"
    assert given["password"] == "p:äss/".encode()
    assert (given["host"], given["port"]) == ("h.example", 3307)
    assert given["database"] == "my db"


@pytest.mark.parametrize("url", ["mysql:h/wa", "mariadb:h/wa", "mariadb://h/wa", "mysql://h/wa"])
def test_short_and_long_forms_are_the_same_place(url: str) -> None:
    given = read(url)

    assert (given["host"], given["port"], given["database"]) == ("h", 0, "wa")


def test_tls_goes_to_the_driver_under_its_names() -> None:
    tls = "ssl_ca=/ca.pem&ssl_cert=/c.pem&ssl_key=/k.pem&ssl_check_hostname=0"
    given = read(f"mysql://h/wa?{tls}")

    assert given["ssl"] == {
        "ca": "/ca.pem",
        "cert": "/c.pem",
        "key": "/k.pem",
        "check_hostname": False,
    }
    assert read("mysql://h/wa?ssl=1")["ssl"] is True
    assert "ssl" not in read("mysql://h/wa")


def test_a_socket_and_an_option_file_go_to_the_driver() -> None:
    given = read("mysql:///wa?unix_socket=/run/s.sock&read_default_file=/etc/my.cnf")

    assert given["unix_socket"] == "/run/s.sock"
    assert given["read_default_file"] == "/etc/my.cnf"


async def test_what_is_known_to_nobody_is_refused() -> None:
    with pytest.raises(InvalidUrlError, match="sslmode"):
        await open_engine("mysql://h/wa?sslmode=require")
    with pytest.raises(InvalidUrlError, match="port"):
        await open_engine("mysql://h:word/wa")
    with pytest.raises(EngineConfigError, match="no database"):
        await open_engine("mysql://h")


async def test_a_server_without_tls_gets_no_password_in_the_clear(schema: str) -> None:
    with pytest.raises(WaError):
        await open_engine(f"{schema}?ssl=1&timeout=3")


async def test_a_file_that_is_not_there_is_no_silence_of_the_server(schema: str) -> None:
    with pytest.raises(EngineConfigError, match="ssl_ca"):
        await open_engine(f"{schema}?ssl_ca=/nowhere/ca.pem")
