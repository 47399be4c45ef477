"""The places of foreign folders: found, told from others, made by nobody who only looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from wa_core.errors import EngineBusyError, EngineConfigError, InvalidUrlError
from wa_core.storage import list_sessions, open_engine
from wa_core.storage.layouts import CREDS, dumps

VALUE = dumps({"registrationId": 7})


async def test_a_folder_is_made_by_the_first_write_and_by_no_look(tmp_path: Path) -> None:
    url = f"baileys:{tmp_path}/new"
    async with await open_engine(url) as engine, await open_engine(url) as second:
        assert await engine.get(CREDS) is None
        assert await engine.list() == []
        assert not (tmp_path / "new").exists()
        await engine.set(CREDS, VALUE)
        with pytest.raises(EngineBusyError):
            await second.set(CREDS, VALUE)

    with pytest.raises(EngineConfigError, match="no such folder"):
        await open_engine(f"baileys:{tmp_path}/typo", read_only=True)


async def test_a_place_with_a_folder_for_each_session_lists_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        async with await open_engine(f"baileys:{tmp_path}#{name}") as engine:
            await engine.set(CREDS, dumps({"name": name}))

    assert await list_sessions(f"baileys:{tmp_path}") == ["one", "two"]
    assert await list_sessions(f"baileys:{tmp_path}/one") == [""]
    async with await open_engine(f"baileys:{tmp_path}#two") as engine:
        assert await engine.get(CREDS) == dumps({"name": "two"})
    with pytest.raises(EngineConfigError, match="name one with #: one, two"):
        await open_engine(f"baileys:{tmp_path}")
    with pytest.raises(EngineConfigError, match="open it without #"):
        await open_engine(f"baileys:{tmp_path}/one#more")
    for wrong in ("..", "a%2Fb", ""):
        with pytest.raises(InvalidUrlError):
            await open_engine(f"baileys:{tmp_path}#{wrong}")


async def test_a_folder_of_another_kind_is_refused_and_told_what_it_is(tmp_path: Path) -> None:
    for number, own in enumerate(("baileys:{}", "arcaelas-file:{}", "file:{}")):
        place = tmp_path / str(number)
        async with await open_engine(own.format(place)) as engine:
            await engine.set(CREDS, VALUE)

    for wrong, right in (("arcaelas-file:{}/0", "baileys:DIR"), ("baileys:{}/1", "arcaelas-file")):
        with pytest.raises(EngineConfigError, match=right):
            await open_engine(wrong.format(tmp_path))
    with pytest.raises(EngineConfigError, match="file:DIR"):
        await open_engine(f"baileys:{tmp_path}/2")
    with pytest.raises(EngineConfigError, match="other version"):
        await open_engine(f"arcaelas-file:{tmp_path}/1?version=8")
    with pytest.raises(InvalidUrlError, match="2 or 8"):
        await open_engine(f"arcaelas-file:{tmp_path}/new?version=3")
    with pytest.raises(EngineConfigError, match="this is a file"):
        await open_engine(f"baileys:{tmp_path}/0/creds.json")
    with pytest.raises(InvalidUrlError, match="unknown parameter"):
        await open_engine(f"baileys:{tmp_path}/0?spelling=safe")
