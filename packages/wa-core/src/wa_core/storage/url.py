"""Engine URLs: `scheme:place?parameters#session` [U2, U4].

The idea: whatever the parser does not understand is kept or refused, never dropped; and what is
secret is shown to nobody but the driver.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

from wa_core.errors import InvalidUrlError, masked
from wa_core.storage.capabilities import Durability

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PASSWORD = re.compile(r"\A((?://)?[^/@:]*):.*@", re.DOTALL)
"""Up to the last `@`: too much hidden is no harm, half a password is."""
_PASSWORD_PART = re.compile(r"\A((?:[A-Za-z][\w+.-]*:)+(?://)?[^/@:]*):(.*)@", re.DOTALL)
"""Behind one scheme or several, as in `baileys-sql:postgres://`."""
_TORN_PASSWORD = re.compile(r"//[^/@:\[]*:(?!\d*(?:[,/]|\Z))[^@]*\Z")
"""A word where a port would be, and no `@` behind it."""
_SECRET_NAME = re.compile(r"pass|secret|token|key|seal|auth", re.IGNORECASE)
_NAMED_SECRET = re.compile(r"(?:env|file|keyring):.", re.DOTALL)
_TAKES_NAMES = frozenset({"seal", "key"})
"""The parameters whose value says where a secret is kept, and is none itself."""
COMMON = frozenset({"durability", "timeout", "readonly"})
"""The parameters that mean the same for every engine."""


@dataclass(frozen=True, slots=True, repr=False)
class EngineUrl:
    """A parsed engine URL; its text form never shows a secret."""

    scheme: str
    place: str = ""
    """All between the scheme and the parameters, as it was typed, `${VARIABLES}` filled in."""
    params: Mapping[str, str] = field(default_factory=dict)
    session: str | None = None
    """The session after `#`, percent-decoded; None when the URL names none."""

    @classmethod
    def parse(cls, text: str) -> EngineUrl:
        """Read a URL, or raise `InvalidUrlError`."""
        scheme, colon, rest = text.partition(":")
        if not colon or not _SCHEME.fullmatch(scheme):
            raise InvalidUrlError(
                "engine URL", "it begins with a scheme, as in file:PATH or redis://HOST"
            )
        rest, hash_sign, session = rest.partition("#")
        place, _, query = rest.partition("?")
        if "@" in query + session and _TORN_PASSWORD.match(place):
            raise InvalidUrlError("engine URL", "write '?' and '#' in a password as %3F and %23")
        return cls(
            scheme=scheme.lower(),
            place=_filled_in(place),
            params=MappingProxyType(_parameters(_filled_in(query))),
            session=_session(session) if hash_sign else None,
        )

    @property
    def path(self) -> str:
        """The place as a file path: percent-decoded, without the `//` of a full URL."""
        bare = self.place[2:] if self.place.startswith("//") else self.place
        return os.path.expanduser(unquote(bare, errors="surrogateescape"))

    @property
    def durability(self) -> Durability | None:
        """The level asked for by name [D1]."""
        asked = self.params.get("durability")
        if asked is None:
            return None
        try:
            return Durability(asked)
        except ValueError:
            levels = ", ".join(Durability)
            raise InvalidUrlError("durability", f"one of {levels}, not {asked!r}") from None

    @property
    def timeout(self) -> float | None:
        """The seconds asked for with `timeout=` [F1]."""
        asked = self.params.get("timeout")
        if asked is None:
            return None
        try:
            seconds = float(asked)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise InvalidUrlError("timeout", f"a positive number of seconds, not {asked!r}")
        return seconds

    def flag(self, name: str) -> bool:
        """Read a switch: `?name=1` or `?name=0`."""
        asked = self.params.get(name, "0").lower()
        if asked not in ("0", "1", "true", "false", "yes", "no", ""):
            raise InvalidUrlError(name, f"1 or 0, not {asked!r}")
        return asked in ("1", "true", "yes", "")

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Raise for a parameter that the engine would otherwise drop in silence."""
        for name in self.params:
            if name not in COMMON and name not in known:
                offered = ", ".join(sorted(COMMON | set(known)))
                raise InvalidUrlError(
                    f"{self.scheme} URL", f"unknown parameter {name!r} (known: {offered})"
                )

    def with_session(self, session: str | None) -> EngineUrl:
        """Return the URL of another session in the same place."""
        return EngineUrl(self.scheme, self.place, self.params, session)

    def with_params(self, params: Mapping[str, str]) -> EngineUrl:
        """Return the URL with other parameters in place of its own."""
        return EngineUrl(self.scheme, self.place, MappingProxyType(dict(params)), self.session)

    def located(self, path: str) -> EngineUrl:
        """Return the URL of another path, with the same parameters and session."""
        return EngineUrl(self.scheme, quote(os.fsencode(path)), self.params, self.session)

    def reveal(self) -> str:
        """Write the whole URL, secrets included: for the driver and for child processes."""
        return self._written(self.place, dict(self.params))

    def __str__(self) -> str:
        hidden = {
            name: "***" if _is_secret(name, value) else value for name, value in self.params.items()
        }
        return masked(self._written(_PASSWORD.sub(r"\1:***@", self.place), hidden))

    __repr__ = __str__

    def _written(self, place: str, params: Mapping[str, str]) -> str:
        query = "&".join(f"{quote(n, safe='')}={quote(v, safe='/:*,')}" for n, v in params.items())
        session = "" if self.session is None else "#" + quote(self.session, safe="")
        return f"{self.scheme}:{place}{'?' + query if query else ''}{session}"


def without_secrets(text: str, *, variables: bool = True) -> str:
    """Spell a URL for a record that others may read: no password, no parameter that is secret.

    What names its secret, as `${VARIABLE}` or `seal=env:VARIABLE`, keeps that name, unless
    `variables` is False: then only the place is asked for.
    """
    EngineUrl.parse(text)
    rest, hash_sign, session = text.partition("#")
    place, _, query = rest.partition("?")
    found = _PASSWORD_PART.match(place)
    if found and not (variables and _VARIABLE.fullmatch(found[2])):
        place = f"{found[1]}@{place[found.end() :]}"
    kept = [_rooted(part) for part in query.split("&") if part and _is_public(part, variables)]
    return f"{place}{'?' if kept else ''}{'&'.join(kept)}{hash_sign}{session}"


def _rooted(part: str) -> str:
    """Spell the path of a key file so that it means the same in another working directory."""
    name, _, value = part.partition("=")
    kind, _, path = unquote_plus(value).partition(":")
    if unquote(name) not in _TAKES_NAMES or kind != "file" or "${" in path:
        return part
    return f"{name}=file:{quote(os.path.abspath(os.path.expanduser(path)), safe='/:*,')}"


def _is_public(part: str, variables: bool) -> bool:
    name, _, value = part.partition("=")
    if not _SECRET_NAME.search(unquote(name)):
        return True
    named = _VARIABLE.fullmatch(value) or not _is_secret(unquote(name), unquote(value))
    return variables and bool(named)


def _is_secret(name: str, value: str) -> bool:
    names_it = name in _TAKES_NAMES and _NAMED_SECRET.match(value)
    return bool(_SECRET_NAME.search(name)) and not names_it


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise InvalidUrlError("engine URL", "the parameters are not UTF-8") from None
    for name, value in pairs:
        if name in found:
            raise InvalidUrlError("engine URL", f"parameter {name!r} is given twice")
        found[name] = value
    return found


def _session(text: str) -> str:
    try:
        name = unquote(text, errors="strict")
        size = len(name.encode())
    except ValueError:
        raise InvalidUrlError("session name", "it is not UTF-8") from None
    if size > 256 or re.search(r"[\x00-\x1f\x7f]", name):
        raise InvalidUrlError("session name", "at most 256 bytes, no control characters")
    return name


def _filled_in(text: str) -> str:
    """Put the environment in, percent-encoded byte by byte: its values hold no syntax."""
    return _VARIABLE.sub(lambda found: quote(os.fsencode(_variable(found[1])), safe=""), text)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise InvalidUrlError("engine URL", f"the environment variable {name} is not set")
    return value
