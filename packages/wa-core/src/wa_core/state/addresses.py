"""One peer, one address: where a ratchet lies, and by which names its lock goes.

A Signal address is `user[_domain].device`. A peer has one by phone number and one by LID, and the
table `lid-mapping` joins them. Ratchets lie under the LID as soon as it is known; locks go by both,
so that a message that still names the number waits for one that names the LID.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

_ADDRESS = re.compile(r"([^_.]+)(?:_(\d+))?\.(\d+)")
_LID_OF_NUMBER = {0: 1, 128: 129}
"""The domain of the LID by the domain of the number; the second pair is of hosted devices."""
_NUMBER_OF_LID = {lid: number for number, lid in _LID_OF_NUMBER.items()}
REVERSE = "_reverse"
"""What the way from a LID to its number has behind its id."""

Lookup = Callable[[str], Awaitable[str | None]]
"""Reads one record of the kind `lid-mapping`."""


@dataclass(frozen=True, slots=True)
class Address:
    """A Signal address in its parts."""

    user: str
    domain: int
    device: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read an address; None for any other name."""
        found = _ADDRESS.fullmatch(text)
        return None if found is None else cls(found[1], int(found[2] or 0), found[3])

    @property
    def is_by_number(self) -> bool:
        """Whether it names a phone number."""
        return self.domain in _LID_OF_NUMBER

    async def other(self, lookup: Lookup) -> Address | None:
        """Return the peer's other address, if the table has it."""
        if self.domain in _LID_OF_NUMBER:
            user, domain = await lookup(self.user), _LID_OF_NUMBER[self.domain]
        elif self.domain in _NUMBER_OF_LID:
            user, domain = await lookup(self.user + REVERSE), _NUMBER_OF_LID[self.domain]
        else:
            return None
        return None if user is None else Address(user, domain, self.device)

    def __str__(self) -> str:
        domain = f"_{self.domain}" if self.domain else ""
        return f"{self.user}{domain}.{self.device}"


async def canonical_address(text: str, lookup: Lookup) -> str:
    """Return the address under which the records of a peer lie."""
    address = Address.parse(text)
    if address is None or not address.is_by_number:
        return text
    other = await address.other(lookup)
    return text if other is None else str(other)


async def lock_names(text: str, lookup: Lookup) -> frozenset[str]:
    """Return every name of a peer; what is no Signal address is its own only name."""
    address = Address.parse(text)
    if address is None:
        return frozenset({text})
    other = await address.other(lookup)
    return frozenset({str(address)} if other is None else {str(address), str(other)})
