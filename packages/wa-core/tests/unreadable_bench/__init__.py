"""What the tests of read errors share: a session, its readers, and a watch for identities."""

from __future__ import annotations
