"""Three layouts: which row of which table a key is, and which key a row is.

The idea: a layout may spell a key in any way, as long as it reads its own spelling back. What it
would read back as something else, it does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wa_core.errors import InvalidKeyError
from wa_core.storage import is_key
from wa_core.storage.layouts import CREDS, KINDS, key_of, record_of

OURS = "wa"
"""`wa/move` and its like: not the tool's, but kept where it does not look."""

Names = tuple[str, ...]
"""What tells a row from all others of its session."""
Address = tuple[int, Names]
"""A row: the number of its table among those of the layout, and its names there."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One table, by the names of its columns."""

    table: str
    owner: str | None
    """The column of the session; None when the table is one session."""
    names: tuple[str, ...]
    value: str
    stamp: str = "updated_at"
    """The column that says when a row was written, where there is one."""


class Layout(Protocol):
    """A way to lay a session out in tables."""

    @property
    def shelves(self) -> tuple[Shelf, ...]:
        """The tables."""

    @property
    def is_dated(self) -> bool:
        """Whether the stamp of a row is its position."""

    def address(self, key: str) -> Address | None:
        """Return where a key would lie, if it can."""

    def key(self, address: Address) -> str | None:
        """Return which key lies there; None when it is none of ours."""


@dataclass(frozen=True, slots=True)
class BaileysTables:
    """One table of credentials, one of Signal keys: `baileys-sql:`."""

    shelves: tuple[Shelf, ...] = (
        Shelf("auth_creds", "user_id", (), "creds_data"),
        Shelf("signal_keys", "user_id", ("key_type", "key_id"), "key_data"),
    )
    is_dated: bool = False

    def address(self, key: str) -> Address | None:
        """Return where a key would lie."""
        if key == CREDS:
            return 0, ()
        pair = _pair_of(key)
        return None if pair is None else (1, pair)

    def key(self, address: Address) -> str | None:
        """Return which key lies there."""
        shelf, names = address
        return CREDS if shelf == 0 else _key_of(*names)


@dataclass(frozen=True, slots=True)
class BaileysRows:
    """One table, with the file names of Baileys as keys: `baileys-rows:`."""

    shelves: tuple[Shelf, ...]
    kinds: tuple[str, ...] = ()
    """Kinds of keys beside those that are known."""
    is_dated: bool = False

    def address(self, key: str) -> Address | None:
        """Return where a key would lie."""
        if key == CREDS:
            return 0, ("creds",)
        pair = _pair_of(key)
        return None if pair is None else (0, ("-".join(pair),))

    def key(self, address: Address) -> str | None:
        """Return which key lies there: the longest kind that fits, or the only way to cut it."""
        name = address[1][0]
        if name == "creds":
            return CREDS
        for kind in sorted((*KINDS, *self.kinds), key=len, reverse=True):
            if name.startswith(f"{kind}-"):
                return _key_of(kind, name[len(kind) + 1 :])
        kind, dash, ident = name.partition("-")
        return _key_of(kind, ident) if dash and "-" not in ident else None


@dataclass(frozen=True, slots=True)
class Arcaelas:
    """The table of the three-method library, its keys nearly ours: `arcaelas-sql:`.

    Where we escape the id of a record, it writes the id: `session/app-state-sync-key/A/B=`.
    """

    shelves: tuple[Shelf, ...] = (Shelf("storage", None, ("key",), "data"),)
    is_dated: bool = True

    def address(self, key: str) -> Address | None:
        """Return where a key would lie."""
        pair = record_of(key)
        return 0, (key if pair is None else f"session/{pair[0]}/{pair[1]}",)

    def key(self, address: Address) -> str | None:
        """Return which key lies there."""
        raw = address[1][0]
        first, *rest = raw.split("/", 2)
        if first == "session" and len(rest) == 2:
            return _checked(rest[0], rest[1])
        return raw if is_key(raw) else None


def held(layout: Layout, key: str) -> Address | None:
    """Return the address of a key if the layout reads the key back from there."""
    address = layout.address(key)
    return address if address is not None and layout.key(address) == key else None


def _pair_of(key: str) -> tuple[str, str] | None:
    first, _, second = key.partition("/")
    return (OURS, second) if first == OURS else record_of(key)


def _key_of(kind: str, ident: str) -> str | None:
    if kind != OURS:
        return _checked(kind, ident)
    key = f"{OURS}/{ident}"
    return key if is_key(key) else None


def _checked(kind: str, ident: str) -> str | None:
    try:
        return key_of(kind, ident)
    except InvalidKeyError:
        return None
