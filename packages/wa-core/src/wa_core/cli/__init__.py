"""The commands: arguments in, exit codes out; what they do lies in the layers below."""

from __future__ import annotations
