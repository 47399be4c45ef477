"""The file engine for wa-core: one session in one folder, durable and readable by people.

`open_engine("file:PATH")` finds it; nothing here needs to be imported.
"""

from __future__ import annotations

from wa_engine_file.engine import FileEngine
from wa_engine_file.provider import FileProvider
from wa_engine_file.reader import FileReader

__all__ = ["FileEngine", "FileProvider", "FileReader"]
