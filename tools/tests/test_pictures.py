"""Pictures for the docs need nothing from elsewhere."""

from __future__ import annotations

import re

from wa_core.cli.blocks import Line, Table, Tone, cells, columns

from tools.pictures import FONT, picture


def test_a_picture_names_no_font_and_no_host_but_its_own() -> None:
    table = Table(columns("step|>ms"), [cells("connect", "1.0")])

    svg = picture([table, Line("this place works", Tone.GOOD)], "wa doctor memory:")

    assert "connect" in svg
    assert FONT in svg
    assert "@font-face" not in svg
    assert set(re.findall(r"https?://[^\"]+", svg)) == {"http://www.w3.org/2000/svg"}
