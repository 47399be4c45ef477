"""URLs of tables: `baileys-sql:` in front of the URL of the database that they are in.

`baileys-sql:sqlite:auth.db#bot`, `baileys-rows:postgres://host/app?table=wa_rows#7`. What is not a
parameter of ours goes to the database's own URL, and `#` names the session.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from wa_core.errors import InvalidUrlError
from wa_core.storage import EngineUrl

DATABASES = ("sqlite", "postgres", "postgresql", "mysql", "mariadb")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def database_url(url: EngineUrl, ours: Collection[str]) -> EngineUrl:
    """Return the URL of the database, without session and without `ours`."""
    scheme, colon, place = url.place.partition(":")
    if not colon or scheme.lower() not in DATABASES:
        known = ", ".join(DATABASES)
        raise InvalidUrlError(
            f"{url.scheme} URL",
            f"a database follows ({known}), as in {url.scheme}:sqlite:auth.db#bot",
        )
    rest = {name: value for name, value in url.params.items() if name not in ours}
    return EngineUrl(scheme.lower(), place, rest)


def identifiers(url: EngineUrl, ours: Mapping[str, str]) -> dict[str, str]:
    """Return the names of tables and columns: those of the URL, else the usual ones."""
    found = {name: url.params.get(name, usual) for name, usual in ours.items()}
    for name, value in found.items():
        if not _IDENTIFIER.fullmatch(value):
            raise InvalidUrlError(name, "letters, digits and '_', as in baileys_sessions")
    return found
