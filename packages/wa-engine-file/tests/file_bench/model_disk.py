"""A disk in the mind: what was done, what is sure to be there after power loss, and what may be.

The idea: POSIX at its weakest. Data of a file is sure once that file was synced, a name in a
folder once that folder was; all else may be there or not, name by name and sector by sector, in
any combination. Only what happened to one name, or to one byte, keeps its order.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import TypeAlias

SECTOR = 512
UNSURE_TIME = 86_400_000_000


@dataclass(eq=False)
class File:
    """An inode with its bytes."""

    live: bytearray = field(default_factory=bytearray)
    sure: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Writes at offsets since the last sync; None cuts the file at the offset."""
    at: int = UNSURE_TIME
    sure_at: int = UNSURE_TIME

    def write(self, offset: int, data: bytes) -> None:
        """Change the bytes."""
        _put(self.live, offset, data)
        self.pending.append((offset, data))

    def cut(self, size: int) -> None:
        """Change the size."""
        _cut(self.live, size)
        self.pending.append((size, None))

    def sync(self) -> None:
        """Make sure."""
        self.sure, self.sure_at = bytes(self.live), self.at
        self.pending.clear()


@dataclass(eq=False)
class Folder:
    """An inode with its names."""

    live: dict[str, Node] = field(default_factory=dict)
    sure: dict[str, Node] = field(default_factory=dict)
    pending: dict[str, list[Node | None]] = field(default_factory=dict)
    """What happened to each name since the last sync."""

    def link(self, name: str, node: Node | None) -> None:
        """Give a name to a node, or take it away."""
        if node is None:
            self.live.pop(name, None)
        else:
            self.live[name] = node
        self.pending.setdefault(name, []).append(node)

    def sync(self) -> None:
        """Make sure."""
        self.sure = dict(self.live)
        self.pending.clear()


Node: TypeAlias = File | Folder


class ModelDisk:
    """Takes the calls that a recording disk noted."""

    def __init__(self) -> None:
        self.root = Folder()
        self._logs: dict[int, File] = {}

    def create(self, path: str, data: bytes, at: int) -> None:
        folder, name = self._place(path)
        file = File(at=at)
        file.write(0, data)
        folder.link(name, file)

    def open_log(self, path: str, token: int) -> None:
        folder, name = self._place(path)
        if name not in folder.live:
            folder.link(name, File())
        file = folder.live[name]
        assert isinstance(file, File)
        self._logs[token] = file

    def write_at(self, token: int, data: bytes, offset: int) -> None:
        self._logs[token].write(offset, data)

    def truncate(self, token: int, size: int) -> None:
        if size != len(self._logs[token].live):
            self._logs[token].cut(size)

    def sync_log(self, token: int) -> None:
        self._logs[token].sync()

    def rename(self, source: str, target: str) -> None:
        old_folder, old_name = self._place(source)
        folder, name = self._place(target)
        folder.link(name, old_folder.live[old_name])
        old_folder.link(old_name, None)

    def unlink(self, path: str) -> None:
        folder, name = self._place(path)
        folder.link(name, None)

    def make_folder(self, path: str) -> None:
        folder, name = self._place(path)
        folder.link(name, Folder())

    def sync_path(self, path: str) -> None:
        node = self._find(path)
        if node is not None:
            node.sync()

    def sync_all(self) -> None:
        pending: list[Node] = [self.root]
        while pending:
            node = pending.pop()
            node.sync()
            if isinstance(node, Folder):
                pending += node.live.values()

    def _place(self, path: str) -> tuple[Folder, str]:
        above, _, name = path.rpartition("/")
        folder = self._find(above)
        assert isinstance(folder, Folder), path
        return folder, name

    def _find(self, path: str) -> Node | None:
        node: Node | None = self.root
        for name in path.split("/") if path else ():
            node = node.live.get(name) if isinstance(node, Folder) else None
        return node


@dataclass(frozen=True, slots=True)
class Luck:
    """What power loss does to what is not sure: the chance that each name or sector is kept."""

    names: float
    sectors: float
    sizes: float
    """The chance that a file keeps its length although its bytes are lost."""


Image: TypeAlias = dict[str, File | bytes]
"""What is on the disk after power loss, by path: a folder is empty bytes."""


def power_loss(disk: ModelDisk, luck: Luck, dice: random.Random) -> Remains:
    """Decide what is left."""
    remains = Remains()
    pending: list[tuple[str, Folder]] = [("", disk.root)]
    while pending:
        path, folder = pending.pop()
        for name in sorted(folder.sure.keys() | folder.pending.keys()):
            node = _name_left(folder, name, luck, dice)
            inner = f"{path}{name}"
            if isinstance(node, Folder):
                remains.folders.append(inner)
                pending.append((inner + "/", node))
            elif node is not None:
                first = remains.first.setdefault(id(node), inner)
                if first == inner:
                    sure_time = node.sure_at if node.pending else node.at
                    remains.files[inner] = _bytes_left(node, luck, dice), sure_time
                else:
                    remains.twins[inner] = first
    return remains


@dataclass(slots=True)
class Remains:
    """A folder after power loss."""

    folders: list[str] = field(default_factory=list)
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)
    """Second names of files: half a rename."""
    first: dict[int, str] = field(default_factory=dict)

    def fingerprint(self) -> int:
        """Tell one from another."""
        files = tuple((path, hash(data)) for path, (data, _) in self.files.items())
        return hash((tuple(self.folders), files, tuple(self.twins.items())))

    def write(self, base: str) -> None:
        """Make it a real folder, whose files all were modified at odd times."""
        for path in self.folders:
            os.mkdir(f"{base}/{path}", 0o700)
        for path, (data, at) in self.files.items():
            handle = os.open(f"{base}/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(handle, data.rstrip(b"\0"))
            os.ftruncate(handle, len(data))
            os.utime(handle, ns=(at * 1000, at * 1000))
            os.close(handle)
        for path, first in self.twins.items():
            os.link(f"{base}/{first}", f"{base}/{path}")

    def as_disk(self) -> ModelDisk:
        """Make it the beginning of another run: all of it is sure."""
        disk = ModelDisk()
        for path in self.folders:
            disk.make_folder(path)
        for path, (data, at) in self.files.items():
            disk.create(path, data, at)
        for path, first in self.twins.items():
            folder, name = disk._place(path)
            folder.link(name, disk._find(first))
        disk.sync_all()
        return disk


def _name_left(folder: Folder, name: str, luck: Luck, dice: random.Random) -> Node | None:
    left = folder.sure.get(name)
    for node in folder.pending.get(name, ()):
        if dice.random() >= luck.names:
            break
        left = node
    return left


def _bytes_left(file: File, luck: Luck, dice: random.Random) -> bytes:
    if not file.pending:
        return file.sure
    left = bytearray(file.sure)
    for offset, data in file.pending:
        if data is None:
            if dice.random() < luck.sizes:
                _cut(left, offset)
            continue
        if dice.random() < luck.sizes:
            _put(left, offset + len(data), b"")
        begin = 0
        while begin < len(data):
            end = min(len(data), begin + SECTOR - (offset + begin) % SECTOR)
            if dice.random() < luck.sectors:
                _put(left, offset + begin, data[begin:end])
            begin = end
    return bytes(left)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _cut(content: bytearray, size: int) -> None:
    del content[size:]
    _put(content, size, b"")
