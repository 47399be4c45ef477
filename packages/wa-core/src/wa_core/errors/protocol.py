"""What a peer did wrong: the leaves of `ProtocolError`."""

from __future__ import annotations

from wa_core.errors.tree import ProtocolError


class SignalError(ProtocolError):
    """A message or a bundle that cannot be used; no record was changed."""

    code = "signal"


class NoRatchetError(SignalError):
    """There is no open ratchet with this address, or no sender key of this group."""

    code = "no-ratchet"


class MalformedMessageError(SignalError):
    """The bytes are no message of this protocol."""

    code = "malformed-message"


class KeyUsedError(SignalError):
    """The key of this message was used before: it is a repetition."""

    code = "key-used"


class UndecryptableError(SignalError):
    """No key that we have opens this message."""

    code = "undecryptable"


class UnknownPreKeyError(SignalError):
    """The message was made for a pre-key that we do not have."""

    code = "unknown-pre-key"


class ForgedBundleError(SignalError):
    """The signed pre-key of a bundle is not signed by its identity key."""

    code = "forged-bundle"


class WeakKeyError(SignalError):
    """A public key that agrees with every private key on the same secret, which all know."""

    code = "weak-key"
