"""Many steps at once: each is taken once, and an error is neither lost nor left behind [F2]."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from file_bench.driver import open_store, state_of, strays, take_step
from file_bench.script import Step
from wa_core.storage import Delete, Put
from wa_engine_file.crew import ALONE_UNTIL, HANDS, each
from wa_engine_file.disk import Disk

NUMBERS = [1, ALONE_UNTIL, ALONE_UNTIL + 1, 500]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_item_is_done_once(number: int) -> None:
    done: list[int] = []

    each(done.append, range(number))

    assert sorted(done) == list(range(number))


def test_hands_work_side_by_side() -> None:
    together = threading.Barrier(HANDS)

    each(lambda _: together.wait(10), range(HANDS * ALONE_UNTIL))

    assert not together.broken


@pytest.mark.parametrize("number", NUMBERS)
def test_an_error_is_raised_and_nothing_new_is_begun(number: int) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        raise KeyError(item)

    with pytest.raises(KeyError):
        each(work, range(number))

    assert 1 <= len(done) <= HANDS
    assert not any(thread.name == "wa-file-hand" for thread in threading.enumerate())


def test_where_no_thread_is_to_be_had_the_caller_does_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []

    each(done.append, range(500))

    assert sorted(done) == list(range(500))


class Stubborn(Disk):
    """Refuses to remove one file until it is told otherwise."""

    refuses = True

    def unlink(self, path: str) -> None:
        if self.refuses and path.endswith("/77/index"):
            raise OSError(errno.EIO, "refused")
        super().unlink(path)


def test_a_large_removal_that_fails_half_way_is_owed_and_made_up_for(quick_path: Path) -> None:
    disk, base = Stubborn(), str(quick_path)
    store = open_store(disk, base)
    messages = [f"chat/1/{number}/index" for number in range(300)]
    take_step(store, Step((Put("session/creds", b"stays"), *(Put(key, b"x") for key in messages))))

    take_step(store, Step((Delete("chat/1"),)))

    assert store.read("chat/1/77/index") is None
    assert state_of(store).keys() == {"session/creds"}
    disk.refuses = False
    take_step(store, Step((Put("chat/2", b"next"),)))
    assert strays(base, state_of(store)) == []
    store.close()
