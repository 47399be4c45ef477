"""The page, its data and its plots, from made-up results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import plot, record, report
from benchmarks.item import Rival

TITLES = {"redis": "Redis", "mongo": "MongoDB", "file": "files"}


def engine(*items: dict[str, Any]) -> record.Record:
    facts = record.facts("a command", rounds=5, seconds=9.0, backend="a server 1.0")
    return {"facts": {**facts, "durable": "a setting"}, "items": list(items)}


def line(name: str, ratio: float, **changes: Any) -> dict[str, Any]:
    met = {"speed": ratio >= 0.6, "cost": ratio <= 0.6}[changes.get("sense", "speed")]
    return {
        "name": name,
        "title": f"the work of {name} <&>",
        "rival": "floor",
        "against": "raw calls",
        "sense": "speed",
        "unit": "us",
        "target": 0.6,
        "ratio": ratio,
        "ratios": [ratio - 0.1, ratio, ratio + 0.1],
        "met": met,
        "ours": [10.0],
        "other": [10.0 * ratio],
        **changes,
    }


def test_engines_measured_one_after_another_end_in_one_table(tmp_path: Path) -> None:
    data = tmp_path / "storage.json"
    data.write_text(record.as_json({"redis": engine(line("put", 0.7))}))

    new = {"mongo": engine(line("put", 0.5))}
    engines = record.merged(record.load(data), new, ["mongo", "redis"])
    page = report.as_markdown(engines, TITLES)

    assert list(engines) == ["mongo", "redis"]
    assert "| what | against | | target | MongoDB | Redis |" in page
    assert "| ≥ 0.6 | **0.50** (0.40 to 0.60) | 0.70 (0.60 to 0.80) |" in page
    assert "- MongoDB, the work of put <&>, against floor: 0.50, target ≥ 0.6" in page


def test_a_measurement_takes_the_place_of_an_earlier_one_of_that_engine() -> None:
    old, new = engine(line("put", 0.1)), engine(line("put", 0.9))

    assert record.merged({"redis": old}, {"redis": new}, TITLES) == {"redis": new}


def test_what_was_not_run_is_named_with_its_reason() -> None:
    engines = {"redis": engine(line("put", 0.7)), "mongo": {"not_run": "no mongod"}}

    page = report.as_markdown(engines, TITLES)

    assert "| MongoDB | **not run**: no mongod |" in page


def test_a_run_on_a_busy_machine_says_so() -> None:
    busy, calm = engine(line("put", 0.7)), engine(line("put", 0.7))
    busy["facts"].update(load=9.0, cores=2)
    calm["facts"].update(load=1.0, cores=2)

    page = report.as_markdown({"redis": busy, "mongo": calm}, TITLES)

    assert page.count("busy") == 1


def test_a_peer_that_is_faster_is_named_even_where_no_target_is_set() -> None:
    slower = line("put", 0.8, rival="Baileys", target=None, met=None)

    page = report.as_markdown({"redis": engine(slower)}, TITLES)

    assert "- Redis, the work of put <&>, against Baileys: 0.80\n" in page


def test_bytes_are_a_table_of_their_own() -> None:
    weight = line("bytes", 2.0, sense="cost", unit="bytes", target=None, met=None)

    page = report.as_markdown({"redis": engine({**weight, "ours": [200.0]})}, TITLES)

    assert "| Redis | 200 | 20 | 2.00 |" in page
    assert "the work of bytes" not in page


@pytest.mark.parametrize(
    ("sense", "ratio", "middle"), [("speed", 1.0, 0), ("speed", 3.0, 1), ("cost", 3.0, -1)]
)
def test_right_of_the_middle_of_a_plot_is_faster(sense: str, ratio: float, middle: int) -> None:
    engines = {"redis": engine(line("put", ratio, sense=sense))}

    drawn = ElementTree.fromstring(plot.as_svg(engines, TITLES, (Rival.FLOOR,), "a <title>"))

    name = "{http://www.w3.org/2000/svg}"
    one = next(x for x in drawn.iter(f"{name}line") if x.get("class") == "one")
    dot = next(x for x in drawn.iter(f"{name}circle") if x.find(f"{name}title") is not None)
    away = float(dot.get("cx", "")) - float(one.get("x1", ""))
    assert (away > 1) - (away < -1) == middle


def test_the_page_in_the_documentation_is_made_from_the_data_beside_it() -> None:
    docs = Path(__file__).parents[2] / "docs" / "benchmarks"
    from benchmarks.__main__ import TITLES as titles

    engines = json.loads((docs / "storage.json").read_text())["engines"]

    assert (docs / "storage.md").read_text() == report.as_markdown(engines, titles)
