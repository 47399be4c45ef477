"""`wa get URL KEY`: one record; its secrets as type and length, unless they are asked for."""

from __future__ import annotations

import argparse
import json
from base64 import b64encode
from typing import Any

from wa_core.cli.blocks import Block, Cell, Facts, Line
from wa_core.cli.command import add_common, add_full_keys, add_url
from wa_core.cli.exits import DIFFERENT, DONE
from wa_core.cli.screen import Screen
from wa_core.cli.spelling import size
from wa_core.cli.values import shape_of, type_of
from wa_core.errors import masked
from wa_core.storage import open_engine


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Show a record. Text and bytes are told as type and length; --reveal shows the value as "
        "it is: into a pipe its very bytes. Whoever sees the credentials has the account."
    )
    add_url(parser)
    add = parser.add_argument
    add("key", metavar="KEY", help="as `wa ls --full-keys` shows it")
    add("--reveal", action="store_true", help="show the value itself, secrets included")
    add_full_keys(parser)
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Show a record."""
    async with await open_engine(options.url, read_only=True) as engine:
        value = await engine.get(options.key)
    key = options.key if options.full_keys else masked(options.key)
    if value is None:
        screen.complain("absent", f"there is no record {key!r}; `wa ls` shows what there is")
        return DIFFERENT
    if options.reveal and not screen.as_json and not screen.out.isatty():
        screen.write_bytes(value)
        return DONE
    screen.show(document(key, value, reveal=options.reveal), rendered(key, value, options.reveal))
    return DONE


def document(key: str, value: bytes, *, reveal: bool) -> dict[str, Any]:
    """Describe a record for a program."""
    told: dict[str, Any] = {"key": key, "type": type_of(value), "bytes": len(value)}
    if reveal:
        return {**told, "base64": b64encode(value).decode()}
    return {**told, "shape": shape_of(value)}


def rendered(key: str, value: bytes, reveal: bool) -> list[Block]:
    """Lay a record out."""
    facts = Facts(
        [("key", Cell(key)), ("type", Cell(type_of(value))), ("size", Cell(size(len(value))))]
    )
    shown = _revealed(value) if reveal else json.dumps(shape_of(value), indent=2)
    return [facts, Line(shown)]


def _revealed(value: bytes) -> str:
    if type_of(value) == "JSON":
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    return value.hex(" ", 4)
