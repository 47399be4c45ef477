"""The scripts that run inside Redis, each one atomic step; their text is beside us, in `lua/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """A text, and the name under which Redis keeps it."""

    text: bytes = field(repr=False)
    sha: bytes


def _script(*names: str) -> Script:
    folder = files("wa_engine_redis") / "lua"
    text = b"\n".join((folder / f"{name}.lua").read_bytes() for name in names)
    # Not a secret's digest: Redis names scripts by their SHA-1.
    return Script(text, sha1(text, usedforsecurity=False).hexdigest().encode())


GET = _script("space", "get")
LIST = _script("space", "list")
SCAN = _script("space", "scan")
APPLY = _script("space", "rows", "turn", "apply")
CLEAR = _script("space", "rows", "turn", "clear")
ENROLL = _script("space", "enroll")
ACQUIRE = _script("space", "acquire")
RENEW = _script("space", "renew")
HOLDER = _script("space", "holder")
ADOPT = _script("space", "rows", "turn", "adopt")
FORGET = _script("space", "rows", "forget")
