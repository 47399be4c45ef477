"""What MariaDB and MySQL say in numbers, in the words of the contract [F2].

The idea: an error that the server answered leaves the connection as it was; any other, and an
answer that says good-bye, leaves nobody knows what on it.
"""

from __future__ import annotations

import ssl

from asyncmy import errors
from wa_core.errors import EngineConfigError, EngineUnavailableError, StorageError, WaError

_DEADLOCKS = (1213, 1020)
_BROKEN = "the connection to the database broke"
_FULL = "the database is out of memory, disk or connections"
_SLOW = "the database did not finish in time"
_STOPS = "the database is shutting down or starting"
_READS_ONLY = "this server takes no writes: is it a replica?"
_UNAVAILABLE = {
    **dict.fromkeys((1021, 1030, 1037, 1038, 1040, 1041, 1114, 1203, 1226), _FULL),
    **dict.fromkeys((1205, 1317, 1907, 1969, 3024), _SLOW),
    **dict.fromkeys((1047, 1053, 1077, 1079), _STOPS),
    **dict.fromkeys((1290, 1792, 1836), _READS_ONLY),
    **dict.fromkeys((1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031), _BROKEN),
    **dict.fromkeys(_DEADLOCKS, "transactions stand in each other's way"),
}
_CREDENTIALS = ("the credentials", "the server refuses them: check user and password")
_GRANTS = ("the privileges", "this user may not use or make our tables: GRANT it")
_CONFIG = {
    **dict.fromkeys((1045, 1130, 1251, 1275, 1698, 2059, 3159), _CREDENTIALS),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), _GRANTS),
    1046: ("no database", "name one: mysql://USER@HOST/DATABASE"),
    1049: ("the database", "there is none of this name: create it"),
    1153: ("max_allowed_packet", "set it to 16M: a value may have 8 MiB"),
    1286: ("InnoDB", "this server has none: only InnoDB keeps a batch whole"),
    1665: ("binlog_format=STATEMENT", "set it to ROW or MIXED"),
}
_DAMAGED = (1034, 1194, 1195, 1712, 1812)
_GOODBYES = (1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031)


def meaning(error: BaseException) -> WaError | None:
    """Say what an error of the driver means; None when it is not the driver's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return EngineConfigError("TLS", "the server's certificate is not trusted: check ssl_ca")
    if isinstance(error, FileNotFoundError | PermissionError | ssl.SSLError):
        # What happens on the way to the server, the driver wraps; this was before it set out.
        return EngineConfigError("the files of the URL", "check ssl_ca, ssl_cert and ssl_key")
    if not isinstance(error, errors.MySQLError):
        return None
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return meaning(error.__cause__)
    number = _number(error)
    if number in _CONFIG:
        return EngineConfigError(*_CONFIG[number])
    if number in _UNAVAILABLE:
        return EngineUnavailableError(_UNAVAILABLE[number])
    if number in _DAMAGED:
        return StorageError("the database finds its own files damaged")
    if not is_answer(error):
        return EngineUnavailableError(_BROKEN)
    return StorageError(f"the database refused (error {number})")


def is_answer(error: BaseException) -> bool:
    """Tell whether the server said no and listens on."""
    number = _number(error) if isinstance(error, errors.MySQLError) else 0
    return (1000 <= number < 2000 or number >= 3000) and number not in _GOODBYES


def is_deadlock(error: BaseException) -> bool:
    """Tell whether a transaction was ended in favour of another one."""
    return isinstance(error, errors.MySQLError) and _number(error) in _DEADLOCKS


def _number(error: BaseException) -> int:
    found = error.args[0] if error.args else 0
    return found if isinstance(found, int) else 0
