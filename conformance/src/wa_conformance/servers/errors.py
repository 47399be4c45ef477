"""What can go wrong with a server of the tests: none found, none started, none that is ours.

They end in what helps: a skip that names nothing to install is a skip for ever.
"""

from __future__ import annotations

from collections.abc import Sequence


class ServerError(Exception):
    """A server for tests is not there, or not as asked."""


class ServerNotFoundError(ServerError):
    """No URL, no program and no wheel offers the server."""

    def __init__(self, kind: str, *, looked_at: Sequence[str], install: Sequence[str]) -> None:
        super().__init__(kind)
        self.kind, self.looked_at, self.install = kind, tuple(looked_at), tuple(install)

    def __str__(self) -> str:
        found = "; ".join(self.looked_at) or "nothing on PATH or in a wheel"
        return f"no {self.kind} server found ({found}): {', or '.join(self.install)}"


class ServerStartError(ServerError):
    """A server did not come up; the end of its log is in the text."""

    def __init__(self, kind: str, reason: str, log: str) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason, self.log = kind, reason, log

    def __str__(self) -> str:
        return f"the {self.kind} server {self.reason}; its log ends:\n{self.log or '(nothing)'}"


class ForeignServerError(ServerError):
    """A server that an environment variable names is not ours to kill, stop or look into."""

    def __init__(self, kind: str, variable: str) -> None:
        super().__init__(kind, variable)
        self.kind, self.variable = kind, variable

    def __str__(self) -> str:
        return (
            f"the {self.kind} server is the one that {self.variable} names, and not ours to "
            f"handle: unset {self.variable} to let the tests start their own"
        )
