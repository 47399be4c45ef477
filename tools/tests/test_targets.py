"""A target's blanks: what is not filled in right judges something else than it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.targets import Target


@pytest.mark.parametrize(
    ("text", "label", "kinds"),
    [
        ("file:{tmp}", "file", ()),
        ("sqlite:{tmp}/wa.db", "sqlite-wa.db", ()),
        ("{redis-6.2}", "redis-6.2", ("redis-6.2",)),
        ("{mongo-rs}?timeout=5", "mongo-rs-timeout-5", ("mongo-rs",)),
    ],
)
def test_a_label_is_readable_and_the_servers_are_named(
    text: str, label: str, kinds: tuple[str, ...]
) -> None:
    target = Target(text)

    assert (target.label, target.kinds) == (label, kinds)


def test_each_target_gets_an_empty_folder_of_its_own(tmp_path: Path) -> None:
    one, other = Target("file:{tmp}"), Target("sqlite:{tmp}/wa.db")

    assert one.url(tmp_path) == f"file:{tmp_path / 'file'}"
    assert other.url(tmp_path) == f"sqlite:{tmp_path / 'sqlite-wa.db'}/wa.db"
    assert not list((tmp_path / "file").iterdir())


def test_a_server_is_started_by_the_command_that_fills_its_url_in(tmp_path: Path) -> None:
    target = Target("{redis-7}")

    command = target.command("wa-conformance", target.url(tmp_path))

    started = ("python", "-m", "wa_conformance.servers", "redis-7", "--")
    assert command == (*started, "wa-conformance", "{redis-7}")
