"""One peer, one address: where a ratchet lies, and by which names its lock goes.

A Signal address is `user[_domain].device`. A peer has one by phone number and one by LID, and the
table `lid-mapping` joins them. Ratchets lie under the LID as soon as it is known; locks go by both,
so that a message that still names the number waits for one that names the LID.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

_ADDRESS = re.compile(r"([^_.]+)(?:_(\d+))?\.(\d+)")
_LID_OF_NUMBER = {0: 1, 128: 129}
_NUMBER_OF_LID = {lid: number for number, lid in _LID_OF_NUMBER.items()}

Lookup = Callable[[str], Awaitable[str | None]]
"""Reads one record of the kind `lid-mapping`."""


async def canonical_address(address: str, lookup: Lookup) -> str:
    """Return the address under which the records of a peer lie."""
    names = await _by_lid_and_number(address, lookup)
    return names[0]


async def lock_names(address: str, lookup: Lookup) -> frozenset[str]:
    """Return every name of a peer; what is no Signal address is its own only name."""
    return frozenset(await _by_lid_and_number(address, lookup))


async def _by_lid_and_number(address: str, lookup: Lookup) -> tuple[str, ...]:
    """Return the names of a peer, the canonical one first."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return (address,)
    user, domain, device = found[1], int(found[2] or 0), found[3]
    if domain in _LID_OF_NUMBER:
        lid = await lookup(user)
        here = _spelt(user, domain, device)
        return (here,) if lid is None else (_spelt(lid, _LID_OF_NUMBER[domain], device), here)
    if domain in _NUMBER_OF_LID:
        number = await lookup(f"{user}_reverse")
        here = _spelt(user, domain, device)
        return (here,) if number is None else (here, _spelt(number, _NUMBER_OF_LID[domain], device))
    return (address,)


def _spelt(user: str, domain: int, device: str) -> str:
    return f"{user}_{domain}.{device}" if domain else f"{user}.{device}"
