"""Judges a storage engine by the engine contract of `wa_core`, clause by clause.

On the command line `wa-conformance TARGET`, in a test file `test_contract = tests_for(TARGET)`.
"""

from __future__ import annotations

from wa_conformance.target import Target, TargetError, open_target, parse_target

__version__ = "0.1.0"

__all__ = ["Target", "TargetError", "__version__", "open_target", "parse_target"]
