"""Print this machine's pip settings as shell lines that tell uv the same.

uv does not read pip's configuration. A machine behind a mirror has that configuration and no other,
and the repository names no index; so ./dev evaluates what this prints before it calls uv.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys

_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
}
# Later wins in pip.
_LEVELS = ("global", "user", "site", "install", ":env:")


def main() -> None:
    """Write one `export` for each setting that pip has and the environment has not yet."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    found: dict[str, tuple[int, str]] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        level, _, key = name.rpartition(".")
        if key in _UV_NAMES and level in _LEVELS:
            here = (_LEVELS.index(level), " ".join(str(ast.literal_eval(value)).split()))
            found[key] = max(here, found.get(key, here))
    lines = {_UV_NAMES[key]: value for key, (_, value) in found.items()}
    if "UV_INDEX" in lines:
        # pip takes the best version of all its indexes, uv by default the first index's.
        lines["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "UV_FIND_LINKS" in lines:
        lines["UV_FIND_LINKS"] = lines["UV_FIND_LINKS"].replace(" ", ",")
    for name, value in lines.items():
        if not os.environ.get(name):
            print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
