"""End-to-end encryption: Baileys' own records in, changed records out.

Pure: no I/O, no clock, no dice of its own. It needs the extra `wa-core[signal]`; without it,
`import wa_core.signal` works, and the modules that need it raise `MissingExtraError`.
"""

from __future__ import annotations
