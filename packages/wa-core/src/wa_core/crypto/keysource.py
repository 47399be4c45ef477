"""Where a secret is kept, named by a word that is none itself: `env:`, `file:`, `keyring:`.

A URL holds the name, never the secret, so that URLs can be logged and remembered. What is found
under the name is a key as `new_key` writes it, or else a passphrase.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import stat
import unicodedata
from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from wa_core.crypto.derivation import KEY_SIZE, Secret
from wa_core.errors import InvalidUrlError, KeyUnavailableError, MissingExtraError

KEY_PREFIX = "wa-key:"
"""What tells a key from a passphrase; 32 bytes in base64url, base64 or hex come after it."""
MIN_PASSPHRASE = 12
_MAX_FILE = 4096
_HELP = "env:NAME, file:PATH or keyring:SERVICE/NAME, which say where the key is kept"

Callback = Callable[[], str | bytes | Awaitable[str | bytes]]
"""Gives the text of a secret, or a key of 32 bytes; asked each time a store is unlocked."""


def new_key() -> str:
    """Make a key, as the text to keep."""
    return KEY_PREFIX + urlsafe_b64encode(secrets.token_bytes(KEY_SIZE)).decode().rstrip("=")


class KeySource(ABC):
    """A place that a secret can be asked of."""

    @classmethod
    def parse(cls, text: str, *, name: str = "seal") -> KeySource:
        """Understand the word in a URL, or raise `InvalidUrlError`, which does not repeat it."""
        kind, colon, rest = text.partition(":")
        if colon and rest:
            if kind == "env":
                return Environment(rest)
            if kind == "file":
                return KeyFile(os.path.abspath(os.path.expanduser(rest)))
            service, slash, user = rest.rpartition("/")
            if kind == "keyring" and service and slash and user:
                return Keyring(service, user)
        # Somebody may have put the key itself here.
        raise InvalidUrlError(name, f"it takes {_HELP}")

    async def load(self) -> Secret:
        """Read the secret, or raise `KeyUnavailableError`."""
        return secret_of(await self._read(), str(self))

    @abstractmethod
    async def _read(self) -> str | bytes:
        """Fetch what is there."""

    @abstractmethod
    def __str__(self) -> str:
        """Write the name of the place."""


def source_of(key: KeySource | Callback | str) -> KeySource:
    """Take a key source in any of the forms that a caller may have it in."""
    if isinstance(key, KeySource):
        return key
    return KeySource.parse(key) if isinstance(key, str) else Called(key)


def secret_of(found: str | bytes, where: str) -> Secret:
    """Read a secret; `where` is for the error."""
    if isinstance(found, bytes):
        if len(found) == KEY_SIZE:
            return Secret(found, is_passphrase=False)
        try:
            found = found.decode()
        except UnicodeDecodeError:
            raise KeyUnavailableError(where, "it is neither 32 bytes nor UTF-8") from None
    text = found.removesuffix("\n").removesuffix("\r")
    if text.startswith(KEY_PREFIX):
        return Secret(_key_of(text.removeprefix(KEY_PREFIX), where), is_passphrase=False)
    if len(text) < MIN_PASSPHRASE:
        reason = f"a passphrase has {MIN_PASSPHRASE} characters at least, a key begins {KEY_PREFIX}"
        raise KeyUnavailableError(where, reason)
    # The same words typed on two machines may come in two forms.
    return Secret(unicodedata.normalize("NFC", text).encode(), is_passphrase=True)


@dataclass(frozen=True, slots=True)
class Environment(KeySource):
    """A variable of the environment."""

    name: str

    async def _read(self) -> str:
        found = os.environ.get(self.name)
        if not found:
            raise KeyUnavailableError(str(self), "the variable is not set")
        return found

    def __str__(self) -> str:
        return f"env:{self.name}"


@dataclass(frozen=True, slots=True)
class KeyFile(KeySource):
    """A file that nobody but its owner can read."""

    path: str

    async def _read(self) -> bytes:
        return await asyncio.to_thread(self._contents)

    def _contents(self) -> bytes:
        try:
            with open(self.path, "rb", opener=_open_at_once) as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise KeyUnavailableError(str(self), "it is no file")
                if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise KeyUnavailableError(str(self), "others may read it: chmod 600")
                contents = file.read(_MAX_FILE + 1)
        except OSError as exc:
            raise KeyUnavailableError(str(self), exc.strerror or "it cannot be read") from exc
        if len(contents) > _MAX_FILE:
            raise KeyUnavailableError(str(self), f"it is over {_MAX_FILE} bytes: no key")
        return contents

    def __str__(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True)
class Keyring(KeySource):
    """An entry in the keyring of the desktop."""

    service: str
    user: str

    async def _read(self) -> str:
        # It may ask its owner for a password, and wait for the answer.
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> str:
        try:
            import keyring
            from keyring.errors import KeyringError
        except ImportError as exc:
            raise MissingExtraError("keyring") from exc
        try:
            found = keyring.get_password(self.service, self.user)
        except KeyringError as exc:
            raise KeyUnavailableError(str(self), f"the keyring says {type(exc).__name__}") from None
        if not found:
            raise KeyUnavailableError(str(self), "the keyring has no such entry")
        return found

    def __str__(self) -> str:
        return f"keyring:{self.service}/{self.user}"


@dataclass(frozen=True, slots=True)
class Called(KeySource):
    """A function of the program, which may ask a key service; it may be a coroutine function."""

    call: Callback = field(repr=False)

    async def _read(self) -> str | bytes:
        answer = self.call()
        found = await answer if inspect.isawaitable(answer) else answer
        if not isinstance(found, str | bytes):
            raise KeyUnavailableError(str(self), "it gave neither str nor bytes")
        return found

    def __str__(self) -> str:
        return "a callback"


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe that nobody writes would have us do."""
    return os.open(path, flags | os.O_NONBLOCK)


def _key_of(text: str, where: str) -> bytes:
    try:
        if len(text) == 2 * KEY_SIZE:
            found = bytes.fromhex(text)
        else:
            bare = text.rstrip("=").replace("+", "-").replace("/", "_")
            found = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
            if urlsafe_b64encode(found).decode().rstrip("=") != bare:
                raise ValueError  # base64 forgives what no key of ours has
    except ValueError:
        found = b""
    if len(found) != KEY_SIZE:
        raise KeyUnavailableError(where, f"after {KEY_PREFIX} come 32 bytes in base64url or hex")
    return found
