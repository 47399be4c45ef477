"""A plot of ratios as plain SVG: one line for each item, one dot for each engine.

The idea: the scale is one of speed, logarithmic, with 1.0 in the middle, whatever sense a ratio
has; left is slower than the other side, right is faster. Readable on light and on dark pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from benchmarks.item import Rival, Sense
from benchmarks.record import Record

WIDTH, LEFT, RIGHT, TOP, ROW = 960, 490, 930, 58, 24
LEAST, MOST = 0.1, 10.0
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10)
COLOURS = ("#d1495b", "#2e933c", "#3d7dca", "#9b5de5", "#d98324")
"""Of middling brightness, so that they stand out from white and from black."""
STYLE = (
    "text{font:12px sans-serif;fill:#333}.line{stroke:#bbb}.one{stroke:#333}.target{stroke:#888}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.line{stroke:#555}.one{stroke:#ddd}}"
)


def as_svg(
    engines: Mapping[str, Record], titles: Mapping[str, str], rivals: Sequence[Rival], title: str
) -> str:
    """Draw all items against some rivals."""
    rows: dict[str, dict[str, Record]] = {}
    for name, record in engines.items():
        for item in record.get("items", ()):
            if item["rival"] in rivals and item["unit"] == "us":
                label = item["title"] if len(rivals) == 1 else f"{item['title']} / {item['rival']}"
                rows.setdefault(label, {})[name] = item
    names = [name for name in engines if any(name in row for row in rows.values())]
    height = TOP + ROW * len(rows) + 30
    body = "\n".join((*_frame(height), *_legend(names, titles), *_rows(rows, names)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _frame(height: int) -> Iterator[str]:
    bottom = height - 26
    for tick in TICKS:
        at = _across(tick)
        kind = "one" if tick == 1 else "line"
        yield f'<line class="{kind}" x1="{at:.1f}" y1="{TOP - 10}" x2="{at:.1f}" y2="{bottom}"/>'
        yield f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
    yield f'<text x="{LEFT}" y="{TOP - 18}">slower than the other</text>'
    yield f'<text x="{RIGHT}" y="{TOP - 18}" text-anchor="end">faster</text>'


def _legend(names: Sequence[str], titles: Mapping[str, str]) -> Iterator[str]:
    for place, name in enumerate(names):
        at = 12 + 110 * place
        yield f'<circle cx="{at}" cy="14" r="5" fill="{_colour(name, names)}"/>'
        yield f'<text x="{at + 10}" y="18">{escape(titles[name])}</text>'
    at = 12 + 110 * len(names)
    yield f'<path class="target" stroke-width="2" d="M{at} 8v12"/>'
    yield f'<text x="{at + 10}" y="18">target</text>'


def _rows(rows: Mapping[str, Mapping[str, Record]], names: Sequence[str]) -> Iterator[str]:
    for place, (label, items) in enumerate(rows.items()):
        down = TOP + ROW * place + ROW / 2
        yield f'<text x="{LEFT - 14}" y="{down + 4:.1f}" text-anchor="end">{escape(label)}</text>'
        yield f'<line class="line" x1="{LEFT}" y1="{down:.1f}" x2="{RIGHT}" y2="{down:.1f}"/>'
        for target in sorted({_speed(i, i["target"]) for i in items.values() if i["target"]}):
            tick = f"M{_across(target):.1f} {down - 7:.1f}v14"
            yield f'<path class="target" stroke-width="2" d="{tick}"/>'
        for name, item in items.items():
            at = _across(_speed(item, item["ratio"]))
            words = escape(f"{name}: {item['sense']} {item['ratio']:.2f}")
            yield (
                f'<circle cx="{at:.1f}" cy="{down:.1f}" r="5" fill="{_colour(name, names)}" '
                f'fill-opacity="0.85"><title>{words}</title></circle>'
            )


def _speed(item: Record, ratio: float) -> float:
    """Turn a cost into a speed; what cannot be divided by is at the far end."""
    if item["sense"] == Sense.SPEED:
        return ratio
    return 1 / ratio if ratio > 0 else MOST


def _across(speed: float) -> float:
    share = math.log(min(max(speed, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (RIGHT - LEFT)


def _colour(name: str, names: Sequence[str]) -> str:
    return COLOURS[names.index(name) % len(COLOURS)]
