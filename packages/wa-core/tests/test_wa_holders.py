"""Who has a session is told by every engine, and looking takes nothing from anybody."""

from __future__ import annotations

import pytest
from migrate_bench.places import OURS, Places
from wa_core.storage import open_engine

pytestmark = pytest.mark.once


@pytest.mark.parametrize("kind", [kind for kind in OURS if kind != "file"])
async def test_the_holder_of_a_lease_is_told_until_it_ends(kind: str, place: Places) -> None:
    url = place(kind)
    async with await open_engine(url) as engine:
        await engine.set("chat/1", b"x")
        async with await open_engine(url, read_only=True) as reader:
            nobody = await reader.holder()
            lease = await engine.acquire("worker 7", 60.0)
            somebody = await reader.holder()
            await lease.renew()
            await lease.release()
            again = await reader.holder()

    assert (nobody, again) == (None, None)
    assert somebody is not None
    assert somebody.name == "worker 7"
    assert somebody.expires_in is not None
    assert 0 < somebody.expires_in <= 60.0
