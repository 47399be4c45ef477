"""`python -m wa_conformance` is the command `wa-conformance`."""

from __future__ import annotations

import sys

from wa_conformance.cli import main

if __name__ == "__main__":
    sys.exit(main())
