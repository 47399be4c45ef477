"""No secret of a sealed session is seen: on disk, in logs, errors, reprs, or the process list."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable
from pathlib import Path

import pytest
from wa_conformance.canary import Scanner
from wa_core.crypto.keysource import secret_of
from wa_core.errors import WaError
from wa_core.migrate import copy
from wa_core.seal import SealedEngine, describe, new_key, rotate_data_key, rotate_key, sealed_in
from wa_core.state import AuthState
from wa_core.storage import Batch, Engine, EngineUrl, open_engine

pytestmark = pytest.mark.once

IDENTITY = b"\x8a canary of thirty-two bytes \xfe\xff\x00"
WORDS = "a-passphrase-that-sings-in-the-mine"
KEYS = {"WA_CANARY_A": new_key(), "WA_CANARY_B": new_key(), "WA_CANARY_WORDS": WORDS}


class Stage:
    """Where the canaries are, and all that was shown of them."""

    def __init__(self, folder: Path) -> None:
        self.stores = folder / "stores"
        self.shown: list[object] = []
        canaries = {"identity": IDENTITY}
        for name, text in KEYS.items():
            canaries[name] = secret_of(text, name).data
        self.scanner = Scanner(**canaries)

    def url(self, kind: str, name: str, key: str) -> str:
        self.stores.mkdir(exist_ok=True)
        place = self.stores / name
        return f"{kind}:{place}{'.db' if kind == 'sqlite' else ''}?seal=env:{key}"

    async def fails(self, call: Awaitable[object]) -> None:
        """Keep the error that a call ends in."""
        with pytest.raises(WaError) as caught:
            await call
        self.shown.append(caught.value)

    def show(self, engine: Engine) -> None:
        """Keep what holds keys."""
        sealed = sealed_in(engine)
        assert isinstance(sealed, SealedEngine)
        keeper = sealed.keeper
        self.shown += [engine, keeper, keeper.keys, keeper.ring, keeper._lock, keeper.source]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    return Stage(tmp_path)


async def live(stage: Stage, kind: str) -> None:
    """Lead a sealed session through all that one meets."""
    first, second = (stage.url(kind, name, "WA_CANARY_A") for name in ("first", "second"))
    worded = stage.url(kind, "worded", "WA_CANARY_WORDS")
    async with (
        await open_engine(first) as engine,
        await AuthState.open(engine, create=True) as state,
    ):
        stage.show(engine)
        stage.shown += [state, state.creds, EngineUrl.parse(first)]
        batch = Batch().put("session/identity-key/a", IDENTITY).put("a/b", IDENTITY * 5)
        await engine.apply(batch)
        stage.shown += [batch, *batch, [entry async for entry in engine.scan()]]
    async with await open_engine(first) as engine:
        await rotate_data_key(engine, listener=stage.shown.append)
        stage.shown.append(await describe(engine))
        inner = sealed_in(engine).inner  # type: ignore[union-attr]
        await inner.set("a/c", await inner.get("a/b"))
        await stage.fails(engine.get("a/c"))
        await engine.set("a/c", None)
    stage.shown.append(await copy(first, worded))
    stage.shown.append(await copy(worded, second))
    for key in ("WA_CANARY_B", "WA_CANARY_WORDS", "WA_CANARY_NONE"):
        await stage.fails(open_engine(second.replace("WA_CANARY_A", key)))
    await stage.fails(open_engine(second.replace("env:WA_CANARY_A", WORDS)))
    async with await open_engine(second) as engine:
        await rotate_key(engine, "env:WA_CANARY_B")
        stage.show(engine)


def look(stage: Stage, tmp_path: Path, log: str) -> None:
    stage.scanner.look("the log", log)
    stage.scanner.look_into(tmp_path)
    stage.scanner.look_at_objects(stage.shown)
    stage.scanner.look_at_processes()


@pytest.mark.parametrize("kind", ["file", "sqlite"])
async def test_no_secret_of_a_sealed_session_is_seen_anywhere(
    kind: str, stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    await live(stage, kind)
    look(stage, tmp_path, caplog.text)

    assert stage.scanner.hits == []
    assert stage.scanner.scanned > 10_000
    assert len(stage.shown) > 20


@pytest.mark.parametrize("kind", ["file", "sqlite"])
async def test_the_same_scan_finds_what_an_unsealed_session_shows(
    kind: str, stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with await open_engine(stage.url(kind, "plain", "").partition("?")[0]) as engine:
        await engine.set("a", IDENTITY)

    logging.getLogger("a careless one").debug("the key is %s", KEYS["WA_CANARY_A"])
    look(stage, tmp_path, caplog.text)

    found = {(hit.where == "the log", hit.name) for hit in stage.scanner.hits}
    assert found == {(False, "identity"), (True, "WA_CANARY_A")}
