"""The double ratchet, one message at a time, over python-axolotl's session state.

axolotl does the arithmetic; the order of the steps is libsignal's, where the two differ in what
they can open. `docs/signal-records.md` lists the differences and the reason for each.
"""

from __future__ import annotations

import hmac
from typing import Any, Literal

from wa_core.crypto.keypair import KEY_SIZE
from wa_core.errors import KeyUsedError, MalformedMessageError, UndecryptableError
from wa_core.signal import _axolotl
from wa_core.signal.conversion import keep
from wa_core.signal.curve import Dice, generate_key_pair
from wa_core.signal.keys import typed
from wa_core.signal.primitives import MAX_SKIPPED, chain_key, ec_pair, parsed, seed_of, unsealed

Kind = Literal["pkmsg", "msg"]
"""As the type of an `<enc>` says it: with or without what begins a ratchet."""

_MAC_SIZE = 8


class _OneRecord:
    """The store that axolotl's cipher asks for, with one state in it."""

    def __init__(self, state: Any) -> None:
        self._record = _axolotl.SessionRecord(state)

    def loadSession(self, recipient: object, device: object) -> Any:
        """Return the state."""
        return self._record

    def storeSession(self, recipient: object, device: object, record: Any) -> None:
        """Do nothing: the state was changed in place."""


def encrypt_with(state: Any, plaintext: bytes) -> tuple[Kind, bytes]:
    """Encrypt on the sending chain of a state, which goes one key on."""
    nothing = None
    cipher = _axolotl.SessionCipher(_OneRecord(state), nothing, nothing, nothing, nothing, nothing)
    message = cipher.encrypt(plaintext)
    return ("pkmsg" if state.hasUnacknowledgedPreKeyMessage() else "msg"), message.serialize()


def parse_message(data: bytes) -> Any:
    """Read a `WhisperMessage`."""
    message = parsed(_axolotl.WhisperMessage, data)
    _check_key(message.getSenderRatchetKey())
    return message


def parse_pre_key_message(data: bytes) -> Any:
    """Read a `PreKeyWhisperMessage`, with the message in it."""
    message = parsed(_axolotl.PreKeyWhisperMessage, data)
    _check_key(message.getBaseKey())
    _check_key(message.getIdentityKey().getPublicKey())
    _check_key(message.getWhisperMessage().getSenderRatchetKey())
    return message


def decrypt_with(state: Any, message: Any, dice: Dice) -> bytes:
    """Decrypt with a state, which changes even where this raises: then forget it."""
    theirs = message.getSenderRatchetKey()
    if not state.hasReceiverChain(theirs):
        _turn(state, message, dice)
    chain, _ = state.getReceiverChain(theirs)
    cipher_key, mac_key, iv = _keys_of(chain, message.getCounter())
    _check_mac(state, message, mac_key)
    plaintext = unsealed(cipher_key, iv, message.getBody())
    state.clearUnacknowledgedPreKeyMessage()
    return plaintext


def _check_key(public: Any) -> None:
    if len(public.getPublicKey()) != KEY_SIZE:
        raise MalformedMessageError("a public key in the message has not the size of one")


def _turn(state: Any, message: Any, dice: Dice) -> None:
    """Answer a new key of the peer's with a new key of ours, and with a chain for each."""
    chains = state.getStructure().receiverChains
    if chains:
        _close(chains[-1], message.previousCounter)
    theirs = message.getSenderRatchetKey()
    root, receiving = state.getRootKey().createChain(theirs, state.getSenderRatchetKeyPair())
    ours = ec_pair(generate_key_pair(dice))
    root, sending = root.createChain(theirs, ours)
    # Not addReceiverChain: that one forgets the oldest of more than five, and its skipped keys.
    added = chains.add(senderRatchetKey=typed(theirs.getPublicKey()))
    added.chainKey.key, added.chainKey.index = receiving.getKey(), receiving.getIndex()
    state.setRootKey(root)
    state.setPreviousCounter(max(state.getSenderChainKey().getIndex() - 1, 0))
    state.setSenderChain(ours, sending)


def _close(chain: Any, last: int) -> None:
    """Keep the keys that are still to come on a chain whose sender has left it, and end it.

    One that is too far behind stays open: what is late on it can then still be opened.
    """
    if not chain.chainKey.key or last - chain.chainKey.index > MAX_SKIPPED:
        return
    _advance(chain, last + 1)
    chain.chainKey.ClearField("key")


def _advance(chain: Any, index: int) -> None:
    """Go on to the key of that number, keeping those that are passed."""
    key = chain_key(chain.chainKey.key, chain.chainKey.index)
    while key.getIndex() < index:
        keep(chain, key.getIndex(), seed_of(key))
        key = key.getNextChainKey()
    chain.chainKey.key, chain.chainKey.index = key.getKey(), key.getIndex()


def _keys_of(chain: Any, counter: int) -> tuple[bytes, bytes, bytes]:
    """Take the keys of a message out of a chain: cipher, MAC, initial vector."""
    ahead = counter - chain.chainKey.index
    if ahead >= 0:
        if not chain.chainKey.key:
            raise UndecryptableError("the sender ended this chain before this message")
        if ahead > MAX_SKIPPED:
            raise UndecryptableError(f"over {MAX_SKIPPED} messages are missing before this one")
        _advance(chain, counter + 1)
    for place, found in enumerate(chain.messageKeys):
        if found.index == counter:
            keys = (found.cipherKey, found.macKey, found.iv)
            del chain.messageKeys[place]
            return keys
    raise KeyUsedError("this message was opened before")


def _check_mac(state: Any, message: Any, key: bytes) -> None:
    data = message.serialize()
    ours, theirs = state.getLocalIdentityKey(), state.getRemoteIdentityKey()
    version = message.getMessageVersion()
    expected = message.getMac(version, theirs, ours, key, data[:-_MAC_SIZE])
    if not hmac.compare_digest(bytes(expected), bytes(data[-_MAC_SIZE:])):
        raise UndecryptableError("the message was not made on this ratchet")
