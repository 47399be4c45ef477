"""From a URL to a redis-py client: every part of the URL goes on to the driver [U2].

What only we understand is taken out first, and what nobody understands is refused: redis-py would
find out no earlier than with the first connection.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from wa_core.errors import InvalidUrlError
from wa_core.storage import DEFAULT_TIMEOUT_S, EngineUrl

from wa_engine_redis.faults import driver_errors
from wa_engine_redis.line import AT_ONCE, AnyClient

OURS = ("adopt", "allow_eviction", "cluster", "literal", "prefix", "replicas")
DRIVERS = (
    "client_name",
    "db",
    "health_check_interval",
    "max_connections",
    "password",
    "protocol",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_read_size",
    "socket_timeout",
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_exclude_verify_flags",
    "ssl_include_verify_flags",
    "ssl_keyfile",
    "ssl_min_version",
    "ssl_password",
    "username",
)

_DATABASE = re.compile(r"(/\d*)?")


def driver_url(url: EngineUrl) -> str:
    """Write the URL as redis-py reads it: without what is ours, secrets included."""
    url.refuse_unknown((*OURS, *DRIVERS))
    place = url.place if url.place.startswith("//") else f"//{url.place}"
    if url.scheme != "unix" and not _DATABASE.fullmatch(urlsplit(place).path):
        raise InvalidUrlError(f"{url.scheme} URL", "behind the host stands a database's number")
    rest = {name: value for name, value in url.params.items() if name in DRIVERS}
    query = urlencode(rest, quote_via=quote)
    return f"{url.scheme}:{place}{'?' + query if query else ''}"


def connected(url: EngineUrl) -> AnyClient:
    """Make a client of our own; it connects with its first call."""
    try:
        with driver_errors():
            return _made(url)
    except (ValueError, TypeError):
        # The driver's sentence may quote a part of the URL.
        raise InvalidUrlError(f"{url.scheme} URL", "the driver does not take it") from None


def _made(url: EngineUrl) -> AnyClient:
    text = driver_url(url)
    # What the URL says goes before these.
    retry = Retry(FullJitterBackoff(base=0.02, cap=0.3), 3)
    timeout = url.timeout or DEFAULT_TIMEOUT_S
    if url.flag("cluster"):
        return RedisCluster.from_url(
            text, socket_timeout=None, socket_connect_timeout=timeout, retry=retry, protocol=2
        )
    # The engine itself bounds each call; a second clock would only make each slower.
    client = Redis.from_url(
        text,
        max_connections=AT_ONCE,
        socket_timeout=None,
        socket_connect_timeout=timeout,
        retry=retry,
        protocol=2,
    )
    # Made, not connected: here the driver says what it does not take.
    client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    return client
