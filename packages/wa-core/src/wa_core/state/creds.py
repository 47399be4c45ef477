"""The credentials of one linked device: Baileys' `AuthenticationCreds`, typed.

A value, never changed in place: `dataclasses.replace` makes the next one. It carries the document
it was read from, so unknown fields survive and known ones keep the form they had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import CorruptRecordError, masked
from wa_core.state.shapes import (
    ANYTHING,
    BARE,
    FLAG,
    NUMBER,
    OBJECT,
    PRIVATE,
    PUBLIC,
    TEXT,
    Binary,
    ListOf,
    Record,
    ShapeError,
)
from wa_core.storage.layouts import CREDS, BufferJsonError, dumps, loads

Source = Mapping[str, Any]
"""The document that a value was read from."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _KeyPairRecord:
    private: Annotated[bytes, PRIVATE]
    public: Annotated[bytes, PUBLIC]
    source: Source = field(default_factory=dict, repr=False, compare=False)


class _Pair:
    """The shape of a key pair."""

    def read(self, raw: Any) -> KeyPair:
        """Return the pair."""
        pair = Record(_KeyPairRecord).read(raw)
        return KeyPair(pair.private, pair.public)

    def write(self, value: Any, raw: Any) -> Any:
        """Spell the pair in Baileys' order."""
        return spell_pair(value)


PAIR = _Pair()


def spell_pair(pair: KeyPair) -> dict[str, bytes]:
    """Spell a key pair as Baileys does wherever it stores one."""
    return {"private": pair.private, "public": pair.public}


def read_pair(value: object) -> KeyPair:
    """Read what `spell_pair` spells; what is no key pair is a `ShapeError`."""
    return PAIR.read(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPreKey:
    """A key pair for peers' first messages, signed by the identity key."""

    key_pair: Annotated[KeyPair, PAIR]
    signature: Annotated[bytes, Binary(64)]
    key_id: Annotated[int, NUMBER]
    timestamp_s: Annotated[int | None, NUMBER] = None
    """When it was made; Baileys has the field and never fills it."""
    source: Source = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The phone's signed word that this device is one of its own (`ADVSignedDeviceIdentity`)."""

    details: Annotated[bytes, BARE]
    account_signature_key: Annotated[bytes | None, BARE] = None
    account_signature: Annotated[bytes | None, BARE] = None
    device_signature: Annotated[bytes | None, BARE] = None
    source: Source = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return "<Account>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who this device is; while a pairing code is pending, whom it was asked for."""

    id: Annotated[str, TEXT]
    """`{number}:{device}@s.whatsapp.net`, without a device while a code is pending."""
    lid: Annotated[str | None, TEXT] = None
    name: Annotated[str | None, TEXT] = None
    source: Source = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<Me {masked(self.id)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAddress:
    """Whose identity key it is."""

    name: Annotated[str, TEXT]
    device_id: Annotated[int, NUMBER]
    source: Source = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<SignalAddress {masked(self.name)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalIdentity:
    """An identity key that this device was told of while it was linked."""

    identifier: Annotated[SignalAddress, Record(SignalAddress)]
    identifier_key: Annotated[bytes, Binary()]
    source: Source = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<SignalIdentity of {self.identifier!r}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What the account asks of every device."""

    unarchive_chats: Annotated[bool, FLAG] = False
    default_disappearing_mode: Annotated[Mapping[str, Any] | None, ANYTHING] = None
    source: Source = field(default_factory=dict, repr=False, compare=False)


_NO_SETTINGS = AccountSettings()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Creds:
    """Everything a device needs to be itself; the keys of its conversations lie beside it."""

    noise_key: Annotated[KeyPair, PAIR]
    pairing_ephemeral_key_pair: Annotated[KeyPair | None, PAIR] = None
    signed_identity_key: Annotated[KeyPair, PAIR]
    signed_pre_key: Annotated[SignedPreKey, Record(SignedPreKey)]
    registration_id: Annotated[int, NUMBER]
    adv_secret_key: Annotated[str, TEXT]
    """Base64, and text also where everything else is bytes."""
    processed_history_messages: Annotated[tuple[Mapping[str, Any], ...], ListOf(OBJECT)] = ()
    next_pre_key_id: Annotated[int, NUMBER]
    first_unuploaded_pre_key_id: Annotated[int, NUMBER]
    account_sync_counter: Annotated[int, NUMBER] = 0
    account_settings: Annotated[AccountSettings, Record(AccountSettings)] = _NO_SETTINGS
    registered: Annotated[bool, FLAG] = False
    """True after linking by pairing code alone; see `is_linked`."""
    pairing_code: Annotated[str | None, TEXT] = None
    me: Annotated[Me | None, Record(Me)] = None
    account: Annotated[Account | None, Record(Account)] = None
    signal_identities: Annotated[
        tuple[SignalIdentity, ...] | None, ListOf(Record(SignalIdentity))
    ] = None
    platform: Annotated[str | None, TEXT] = None
    routing_info: Annotated[bytes | None, Binary()] = None
    last_prop_hash: Annotated[str | None, TEXT] = None
    last_account_sync_timestamp: Annotated[int | None, NUMBER] = None
    my_app_state_key_id: Annotated[str | None, TEXT] = None
    additional_data: Annotated[Any, ANYTHING] = None
    source: Source = field(default_factory=dict, repr=False, compare=False)
    """The document as it was read: unknown fields, and the forms of the known ones."""

    @property
    def is_linked(self) -> bool:
        """Whether a phone took this device for its own."""
        return self.me is not None and self.account is not None

    @classmethod
    def from_bytes(cls, data: bytes) -> Creds:
        """Read the record `session/creds`; what no session can live on is a damaged record."""
        try:
            return Record(cls).read(loads(data))
        except (BufferJsonError, ShapeError) as exc:
            # Not `from`: a cause may hold what could not be read.
            raise CorruptRecordError(CREDS, str(exc)) from None

    def to_bytes(self) -> bytes:
        """Spell the record as Baileys does."""
        return dumps(Record(Creds).write(self, None))

    def __repr__(self) -> str:
        state = "linked" if self.is_linked else "not linked"
        return f"<Creds {state}, next pre-key {self.next_pre_key_id}>"
