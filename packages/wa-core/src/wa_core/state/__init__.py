"""The state of a session: typed records over an engine.

`AuthState.open(engine)` is the door. Values lie in the store exactly as Baileys writes them.
"""

from __future__ import annotations

from wa_core.crypto.keypair import KeyPair
from wa_core.state.auth import AuthState
from wa_core.state.backups import schedule_backups
from wa_core.state.creds import (
    Account,
    AccountSettings,
    Creds,
    Me,
    SignalAddress,
    SignalIdentity,
    SignedPreKey,
)
from wa_core.state.findings import Finding, Report, Severity
from wa_core.state.identity import new_identity
from wa_core.state.keystore import KeyStore
from wa_core.state.policy import BATCHED, IMMEDIATE, TRANSACTIONAL, Policy
from wa_core.state.prekeys import PreKeys
from wa_core.state.shutdown import flush_on_signal
from wa_core.state.transaction import Transaction
from wa_core.state.validation import validate

__all__ = [
    "BATCHED",
    "IMMEDIATE",
    "TRANSACTIONAL",
    "Account",
    "AccountSettings",
    "AuthState",
    "Creds",
    "Finding",
    "KeyPair",
    "KeyStore",
    "Me",
    "Policy",
    "PreKeys",
    "Report",
    "Severity",
    "SignalAddress",
    "SignalIdentity",
    "SignedPreKey",
    "Transaction",
    "flush_on_signal",
    "new_identity",
    "schedule_backups",
    "validate",
]
