"""Where a change lands in the folder: which files and folders come, move and go.

The idea: a value lies at the path of its key, or, once keys lie below it, in the folder of that
name [K3]. So the steps follow from which folders come into being and which run empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from wa_core.storage.keys import ancestors

from wa_engine_file.change import Change, Moved, Steps
from wa_engine_file.contents import Contents, Index
from wa_engine_file.keys import Spelling

_PIECE = re.compile(r"%\+/")


def place(change: Change, contents: Contents, spelling: Spelling) -> None:
    """Add the steps from the folder with those contents to the one behind the change."""
    steps, index = change.steps, contents.index
    begun, ended = _crossings(change, index)
    for key in change.removed:
        steps.unlink.append(_path(spelling, key, below=index.has_below(key)))
    for folder in begun | ended:
        key = folder[:-1]
        if key in index and not change.removes(key):
            source = _path(spelling, key, below=folder in ended)
            steps.unlink.append(source)
            if key not in change.records:
                change.moved.append(Moved(key, source, contents.known((key,))[key]))
                steps.create.append((_path(spelling, key, below=folder in begun), key))
    for key in change.records:
        folder = key + "/"
        below = folder in begun or (index.has_below(key) and folder not in ended)
        moved = folder in begun or folder in ended
        step = _path(spelling, key, below=below), key
        (steps.create if moved or key not in index else steps.replace).append(step)
    steps.make = [spelling.path(folder[:-1]) for folder in begun]
    steps.drop = [spelling.path(folder[:-1]) for folder in ended]
    _complete(steps)


def place_again(change: Change, index: Index, spelling: Spelling) -> None:
    """Add the steps to the folder that `index` describes from any state a crash has left."""
    steps = change.steps
    above = {folder[:-1] for key in change.touched() for folder in ancestors(key + "/")[1:]}
    for key in change.removed:
        steps.unlink += (spelling.path(key), spelling.own(key))
    for key in change.records:
        below = index.has_below(key)
        steps.unlink.append(_path(spelling, key, below=not below))
        steps.replace.append((_path(spelling, key, below=below), key))
    steps.make = [spelling.path(key) for key in above if index.has_below(key)]
    steps.drop = [spelling.path(key) for key in above if not index.has_below(key)]
    _complete(steps)


def _crossings(change: Change, index: Index) -> tuple[set[str], set[str]]:
    """Return the folders that get their first key and those that lose their last one."""
    fresh = [key for key in change.records if key not in index]
    if not change.removed:
        return _begun(fresh, index), set()
    balance: dict[str, int] = {}
    for keys, step in ((fresh, 1), (change.removed, -1)):
        for key in keys:
            for folder in ancestors(key)[1:]:
                balance[folder] = balance.get(folder, 0) + step
    begun, ended = set(), set()
    for folder, difference in balance.items():
        if difference > 0 and not index.has_below(folder[:-1]):
            begun.add(folder)
        elif difference < 0 and not _has_more(index, folder, -difference):
            ended.add(folder)
    return begun, ended


def _has_more(index: Index, folder: str, number: int) -> bool:
    """Tell whether a folder holds more keys than that, looking at no more."""
    return next(islice(index.keys(folder), number, None), None) is not None


def _begun(fresh: list[str], index: Index) -> set[str]:
    """Return the new folders where nothing is removed: what holds a key, its parents hold too."""
    begun: set[str] = set()
    for key in fresh:
        end = key.rfind("/")
        while end > 0:
            folder = key[: end + 1]
            if folder in begun or index.has_below(folder[:-1]):
                break
            begun.add(folder)
            end = key.rfind("/", 0, end)
    return begun


def _path(spelling: Spelling, key: str, *, below: bool) -> str:
    return spelling.own(key) if below else spelling.path(key)


def _complete(steps: Steps) -> None:
    """Order the folders, and add those that only hold the rest of an over-long name."""
    written = [path for path, _ in (*steps.create, *steps.replace)]
    make = {*steps.make, *_pieces(written), *_pieces(steps.make)}
    steps.make = sorted(make, key=len)
    if steps.unlink or steps.drop:
        drop = {*steps.drop, *_pieces(steps.unlink), *_pieces(steps.drop)} - make
        steps.drop = sorted(drop, key=len, reverse=True)


def _pieces(paths: Iterable[str]) -> set[str]:
    return {
        path[: at.start() + 2] for path in paths if "%+/" in path for at in _PIECE.finditer(path)
    }
