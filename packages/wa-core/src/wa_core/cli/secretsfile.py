"""The file of `--secrets`: what URLs name as `${NAME}`, without a place in the environment."""

from __future__ import annotations

from collections.abc import MutableMapping

from wa_core.errors import UsageError


def take_secrets(path: str | None, environment: MutableMapping[str, str]) -> None:
    """Put the lines NAME=VALUE of a file into the environment, where URLs look for them."""
    if path is None:
        return
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            name, sign, value = line.rstrip("\n").partition("=")
            if not line.strip() or line.startswith("#"):
                continue
            if not sign or not name.strip().isidentifier():
                raise UsageError(f"line {number} of the secrets is not NAME=VALUE")
            environment[name.strip()] = value
