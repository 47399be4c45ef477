"""The parameters of a `mongodb:` URL: which are the driver's, and which no engine could keep.

Each of the driver's is passed on as it is. What would change how safe a write is, or where it is
read, is refused unless it says what the engine does anyway: nothing is dropped in silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import PyMongoError
from pymongo.uri_parser_shared import validate_options
from wa_core.errors import InvalidUrlError
from wa_core.storage import EngineUrl

DRIVER = (
    "appName",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "loadBalanced",
    "localThresholdMS",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "minPoolSize",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "socketTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsCAFile",
    "tlsCRLFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsDisableOCSPEndpointCheck",
    "tlsInsecure",
    "waitQueueTimeoutMS",
    "zlibCompressionLevel",
)
FIXED = {"w": "majority", "journal": "true", "readPreference": "primary"}
"""What the engine does, whatever the URL says."""
OURS = ("readonly", "durability", "timeout")

_DRIVER = {name.lower() for name in DRIVER}
_FIXED = {name.lower(): value for name, value in FIXED.items()}


def driver_parameters(url: EngineUrl) -> dict[str, str]:
    """Return the parameters for the driver, or raise for one that has no effect."""
    known = [name for name in url.params if name.lower() in _DRIVER | set(_FIXED)]
    url.refuse_unknown({*known, *DRIVER, *FIXED})
    passed: dict[str, str] = {}
    for name in known:
        fixed = _FIXED.get(name.lower())
        if fixed is None:
            passed[name] = url.params[name]
        elif url.params[name].lower() != fixed:
            raise InvalidUrlError(name, f"the engine keeps to {name}={fixed}")
    with driver_refusals(f"the driver refuses one of: {', '.join(sorted(passed)) or 'its parts'}"):
        validate_options(passed, warn=False)
    return passed


@contextmanager
def driver_refusals(reason: str) -> Iterator[None]:
    """Wrap what reads a URL for the driver: its messages and warnings may hold a password."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except (PyMongoError, ValueError, TypeError, OSError, UserWarning):
        raise InvalidUrlError("mongodb URL", reason) from None
