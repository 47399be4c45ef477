"""What the caller can fix: the same call will be wrong again."""

from __future__ import annotations

from wa_core.errors.tree import UsageError, masked, shown


class InvalidKeyError(UsageError, ValueError):
    """The key or prefix is outside the key grammar [K1, K4]."""

    code = "invalid-key"

    def __init__(self, key: object, reason: str) -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def __str__(self) -> str:
        if not isinstance(self.key, str):
            return f"invalid key: {self.reason}"
        # Masked twice: `ascii` spells the digits of other scripts as numbers of its own.
        text = masked(ascii(masked(self.key)))
        return f"invalid key {text if len(text) <= 80 else text[:77] + '...'}: {self.reason}"


class InvalidPageError(UsageError, ValueError):
    """An offset or limit that is no page [O4]."""

    code = "invalid-page"

    def __init__(self, name: str, value: object) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"{self.name} must be a whole number of 0 or more, not {shown(self.value)}"


class InvalidPositionError(UsageError, ValueError):
    """A position outside 0 to 2**53 - 1, the range that every backend keeps exactly."""

    code = "invalid-position"

    def __init__(self, at: object) -> None:
        super().__init__(at)
        self.at = at

    def __str__(self) -> str:
        return f"at= takes microseconds since 1970, 0 to 2**53 - 1, not {shown(self.at)}"


class InvalidUrlError(UsageError, ValueError):
    """The engine URL cannot be understood; `where` never holds a secret."""

    code = "invalid-url"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return masked(f"{self.where}: {self.reason}")


class EngineClosedError(UsageError):
    """The engine was used after `close`."""

    code = "engine-closed"

    def __str__(self) -> str:
        return "this engine is closed: open it again with open_engine(url)"


class MissingExtraError(UsageError, ImportError):
    """This needs a package that only an extra of wa-core brings."""

    code = "missing-extra"

    def __init__(self, extra: str) -> None:
        super().__init__(extra)
        self.extra = extra

    def __str__(self) -> str:
        return f"this needs more than wa-core alone: pip install 'wa-core[{self.extra}]'"


class ReadOnlyError(UsageError):
    """A write on an engine that was opened for reading."""

    code = "read-only"

    def __str__(self) -> str:
        return "this engine is read-only: open it without read_only / ?readonly=1 to write"


class TransactionError(UsageError):
    """A transaction over the records of a state cannot go on; nothing of it was written."""

    code = "transaction"

    def __str__(self) -> str:
        return f"this transaction cannot go on: {super().__str__()}"


class UnsupportedError(UsageError):
    """The engine does not claim the clauses this call needs; nothing was changed."""

    code = "unsupported"

    def __init__(self, feature: str) -> None:
        super().__init__(feature)
        self.feature = feature

    def __str__(self) -> str:
        return f"this engine does not offer {self.feature} (see its capabilities.claims)"
