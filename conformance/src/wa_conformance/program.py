"""The program that a check ran, as lines of Python that can be pasted and run.

Every call through a probe leaves a line. The lines tell the whole story only while calls come one
after the other, with arguments that can be written down: whatever breaks that is noted, and then
the report prints a `replay` of the check instead of the lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wa_core.storage import Batch, Lease, Put

MAX_LINES = 2_000
_LONG = 120


@dataclass(slots=True)
class Line:
    """One statement, and the error it ended with."""

    source: str
    raised: type[BaseException] | None = None


@dataclass(slots=True)
class Program:
    """The statements so far; `gaps` says what they cannot tell."""

    token: str
    """What the session names of this run begin with; a pasted program makes its own."""
    lines: list[Line] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    in_flight: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    """The error classes that statements name, and their modules."""
    leases: list[tuple[Lease, str]] = field(default_factory=list)
    """The leases taken so far, and the names that the program gives them."""

    def add(self, source: str) -> Line:
        """Add a statement."""
        if self.in_flight:
            self.gap("calls ran at the same time")
        line = Line(source)
        self.lines.append(line)
        return line

    def gap(self, reason: str) -> None:
        """Note something that the lines cannot tell."""
        if reason not in self.gaps:
            self.gaps.append(reason)

    def name_lease(self, lease: Lease, name: str) -> None:
        """Let later statements call this lease by name."""
        self.leases.append((lease, name))

    def names_error(self, kind: type[BaseException]) -> None:
        """Note that a statement names an error class, which the program may have to import."""
        self.errors[kind.__name__] = kind.__module__

    def clear(self) -> None:
        """Begin a new program: one example of a property is over."""
        self.lines.clear()
        self.gaps.clear()
        self.leases.clear()
        self.errors.clear()
        self.in_flight = 0

    def sources(self) -> list[str]:
        """Return the statements; one that failed, and was expected to, is told as such."""
        last = len(self.lines) - 1
        return [
            line.source
            if line.raised is None or place == last
            else f"with suppress({line.raised.__name__}):\n    {line.source}"
            for place, line in enumerate(self.lines)
        ]

    def session(self, name: str) -> str:
        """Write a session name so that each run of the program has its own."""
        if name == self.token:
            return "RUN"
        if name.startswith(self.token):
            return f"RUN + {name[len(self.token) :]!r}"
        return repr(name)

    def value(self, value: object) -> str:
        """Write an argument as Python, or note that it cannot be written."""
        if isinstance(value, Batch):
            return self._batch(value)
        if isinstance(value, Lease):
            names = (name for lease, name in self.leases if lease is value)
            return next(names, None) or self._unwritable(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(value)
        if isinstance(value, str) and len(value) > _LONG and len(set(value)) == 1:
            return f"{value[0]!r} * {len(value)}"
        if value is None or isinstance(value, str | int | float):
            return repr(value)
        if isinstance(value, list | tuple):
            body = ", ".join(self.value(one) for one in value)
            return f"[{body}]" if isinstance(value, list) else f"({body},)" if body else "()"
        if isinstance(value, dict):
            pairs = (f"{self.value(key)}: {self.value(one)}" for key, one in value.items())
            return "{" + ", ".join(pairs) + "}"
        return self._unwritable(value)

    def _batch(self, batch: Batch) -> str:
        text = "Batch()"
        for operation in batch:
            if isinstance(operation, Put):
                at = "" if operation.at is None else f", at={operation.at}"
                text += f".put({operation.key!r}, {self.value(operation.value)}{at})"
            else:
                text += f".delete({operation.key!r})"
        return text

    def _bytes(self, value: bytes | bytearray | memoryview) -> str:
        data = bytes(value)
        text = repr(data)
        if len(data) > _LONG:
            text = _repeated(data) or text
            if len(text) > 4 * _LONG:
                self.gap("a value is too long to print")
                text = f"b'{len(data)} bytes'"
        return text if isinstance(value, bytes) else f"{type(value).__name__}({text})"

    def _unwritable(self, value: object) -> str:
        self.gap(f"a {type(value).__name__} cannot be written down")
        return f"<{type(value).__name__}>"


def _repeated(data: bytes) -> str | None:
    for unit, text in ((data[:1], repr(data[:1])), (bytes(range(256)), "bytes(range(256))")):
        if data == unit * (len(data) // len(unit)):
            return f"{text} * {len(data) // len(unit)}"
    return None
