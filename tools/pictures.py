"""Pictures of what `wa` shows, for docs/wa-command.md: real output over a made-up place.

    python -m tools.pictures [FOLDER]

draws a PNG of each where `resvg_py` can be imported (it is no dependency of ours: `pip install
resvg-py` into a throw-away environment, and put that on PYTHONPATH), else an SVG. Look at them
before they are committed.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import chdir
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from wa_core.cli.blocks import Block
from wa_core.cli.colours import draw
from wa_core.cli.commands import doctor, engines, inspect, sessions
from wa_core.migrate import copy
from wa_core.seal import new_key
from wa_core.state import Account, AuthState, Me, new_identity
from wa_core.state.inspection import inspect as look_into
from wa_core.state.overview import look_at
from wa_core.storage import Batch, open_engine
from wa_core.storage.catalog import offers
from wa_core.storage.checkup import examine

from tools.workspace import ROOT

IMAGES = ROOT / "docs" / "images"
WIDTH = 130
FONT = "DejaVu Sans Mono"
_ELSEWHERE = re.compile(r"@font-face \{.*?\}\n|<!--.*?-->", re.DOTALL)
"""What rich fetches fonts with, and where it comes from."""
_DAY_S = 86_400


async def make_place() -> None:
    """Make sessions in every state, with numbers that nobody has."""
    os.environ["WA_DEMO_KEY"] = new_key()
    now = time.time()
    await _session("sqlite:wa.db#shop", "15550100001", chats=42, messages=1280, age_s=40)
    await _session("sqlite:wa.db#support", "15550100002", chats=7, messages=96, age_s=3 * _DAY_S)
    await _session("sqlite:wa.db#moved", "15550100003", chats=3, messages=12, age_s=9 * _DAY_S)
    await copy("sqlite:wa.db#moved", "file:elsewhere#moved")
    async with await open_engine("sqlite:wa.db#new-bot") as engine:
        await (await AuthState.open(engine, create=True)).close()
        await engine.set("session/creds", await engine.get("session/creds"), at=int(now * 1e6))
    await _session("sqlite:wa.db?seal=env:WA_DEMO_KEY#sealed", "15550100004", chats=2, messages=9,
                   age_s=7200)  # fmt: skip
    await _session("file:folder#bot", "15550100005", chats=5, messages=60, age_s=600)
    (Path("folder") / "bot" / "session" / "pre-key" / "3").write_bytes(b"torn")


async def _session(url: str, number: str, *, chats: int, messages: int, age_s: float) -> None:
    me = Me(id=f"{number}:1@s.whatsapp.net", lid=f"1{number}:1@lid")
    creds = replace(
        new_identity(),
        me=me,
        account=Account(details=b"details"),
        my_app_state_key_id="AAAA",
        next_pre_key_id=31,
        first_unuploaded_pre_key_id=31,
    )
    at = int((time.time() - age_s) * 1e6)
    pair = {"private": bytes(32), "public": bytes(32)}
    batch = Batch()
    async with await open_engine(url) as engine:
        async with await AuthState.open(engine, create=True, mint=lambda: creds) as state:
            await state.keys.set(
                {
                    "pre-key": {str(ident): pair for ident in range(1, 31)},
                    "app-state-sync-key": {"AAAA": {"keyData": "aa=="}},
                }
            )
        async for entry in engine.scan():
            batch.put(entry.key, entry.value, at=at)
        for chat in range(chats):
            jid = f"155502{chat:05d}@s.whatsapp.net"
            batch.put(f"contact/{jid}/index", b'{"name":"Somebody"}', at=at)
            batch.put(f"chat/{jid}/index", b"{}", at=at)
            for message in range(messages // chats):
                batch.put(f"chat/{jid}/message/M{message}/index", b"x" * 300, at=at)
        await engine.apply(batch)


async def _sessions() -> Sequence[Block]:
    async with (
        await open_engine("sqlite:wa.db#shop") as engine,
        await engine.acquire("worker 3 on bots-1", 30.0),
    ):
        found = [seen async for seen in look_at("sqlite:wa.db")]
    return sessions.rendered(found, full=False, now=time.time())


async def _inspect() -> Sequence[Block]:
    return inspect.rendered(await look_into("file:folder#bot"), full=False)


async def _doctor() -> Sequence[Block]:
    return doctor.rendered(await examine("sqlite:wa.db"))


async def _engines() -> Sequence[Block]:
    found = [offer for offer in offers() if not offer.scheme.startswith(("baileys-", "arcaelas-"))]
    return engines.rendered(found)


PICTURES: dict[str, tuple[str, Callable[[], Awaitable[Sequence[Block]]]]] = {
    "wa-engines": ("wa engines", _engines),
    "wa-sessions": ("wa sessions sqlite:wa.db", _sessions),
    "wa-inspect": ("wa inspect file:folder#bot", _inspect),
    "wa-doctor": ("wa doctor sqlite:wa.db", _doctor),
}


def picture(blocks: Sequence[Block], title: str) -> str:
    """Draw blocks as a terminal would, as an SVG that needs nothing from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    draw(blocks, console)
    svg = console.export_svg(title=title, theme=MONOKAI)
    return _ELSEWHERE.sub("", svg).replace("Fira Code", FONT).replace("arial", FONT)


async def make_all(folder: Path) -> list[Path]:
    """Write every picture; return what was written."""
    written = []
    with tempfile.TemporaryDirectory() as place, chdir(place):
        await make_place()
        for name, (title, blocks) in PICTURES.items():
            svg = picture(await blocks(), title).replace(place, "/srv/bots")
            written.append(_write(folder / name, svg))
    return written


def _write(path: Path, svg: str) -> Path:
    if find_spec("resvg_py") is None:
        path = path.with_suffix(".svg")
        path.write_text(svg, encoding="utf-8")
    else:
        path = path.with_suffix(".png")
        drawn = import_module("resvg_py").svg_to_bytes(svg_string=svg, monospace_family=FONT)
        path.write_bytes(bytes(drawn))
    return path


def main(arguments: Sequence[str]) -> int:
    """Draw the pictures into a folder."""
    folder = Path(arguments[0]) if arguments else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    for path in asyncio.run(make_all(folder.resolve())):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
