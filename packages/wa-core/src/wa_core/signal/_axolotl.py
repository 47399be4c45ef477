"""python-axolotl, made to load beside a modern protobuf: the one door to it.

Its two generated modules are of a protoc whose output protobuf 4 and later refuse to run. What they
describe is in them as one serialized constant, so the constant is read out of their source, and
message classes of today's runtime take the place of the modules before anything asks for them.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from wa_core.errors import MissingExtraError

_GENERATED = ("axolotl.protocol.whisperprotos_pb2", "axolotl.state.storageprotos_pb2")


def _register() -> None:
    """Put modules of the same names, made from the same descriptors, where imports look first."""
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    # A pool of its own: both files are of package `textsecure`, a name that others use too.
    pool = descriptor_pool.DescriptorPool()
    for name in _GENERATED:
        file = descriptor_pb2.FileDescriptorProto.FromString(_descriptor(_source(name)))
        pool.Add(file)
        module = ModuleType(name)
        for message in file.message_type:
            described = pool.FindMessageTypeByName(f"{file.package}.{message.name}")
            setattr(module, message.name, message_factory.GetMessageClass(described))
        sys.modules.setdefault(name, module)


def _source(name: str) -> str:
    package, *parts = name.split(".")
    # Of the top package alone, for which nothing is imported.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin).parent.joinpath(*parts).with_suffix(".py").read_text("utf-8")


def _descriptor(source: str) -> bytes:
    """Read the `serialized_pb` out of a generated module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "serialized_pb":
            # `_b('...')`, which spells bytes as the Latin-1 text that Python 2 and 3 both read.
            call = node.value
            if isinstance(call, ast.Call) and isinstance(call.args[0], ast.Constant):
                return str(call.args[0].value).encode("latin-1")
    raise ImportError("this python-axolotl has no descriptor where 0.2.3 has it")


try:
    _register()
    from axolotl.ecc.djbec import (
        DjbECPrivateKey,
        DjbECPublicKey,
    )
    from axolotl.ecc.eckeypair import ECKeyPair
    from axolotl.groups.ratchet.senderchainkey import (
        SenderChainKey,
    )
    from axolotl.groups.ratchet.sendermessagekey import (
        SenderMessageKey,
    )
    from axolotl.invalidkeyexception import InvalidKeyException
    from axolotl.invalidmessageexception import (
        InvalidMessageException,
    )
    from axolotl.invalidversionexception import (
        InvalidVersionException,
    )
    from axolotl.kdf.derivedmessagesecrets import (
        DerivedMessageSecrets,
    )
    from axolotl.kdf.hkdfv3 import HKDFv3
    from axolotl.legacymessageexception import (
        LegacyMessageException,
    )
    from axolotl.protocol.prekeywhispermessage import (
        PreKeyWhisperMessage,
    )
    from axolotl.protocol.senderkeydistributionmessage import (
        SenderKeyDistributionMessage,
    )
    from axolotl.protocol.senderkeymessage import (
        SenderKeyMessage,
    )
    from axolotl.protocol.whispermessage import WhisperMessage
    from axolotl.protocol.whisperprotos_pb2 import (
        SenderKeyMessage as SenderKeyFields,
    )
    from axolotl.ratchet.chainkey import ChainKey
    from axolotl.ratchet.ratchetingsession import (
        RatchetingSession,
    )
    from axolotl.ratchet.rootkey import RootKey
    from axolotl.sessioncipher import AESCipher, SessionCipher
    from axolotl.state.sessionrecord import SessionRecord
    from axolotl.state.sessionstate import SessionState
    from axolotl_curve25519 import (
        calculateAgreement,
        calculateSignature,
        generatePrivateKey,
        generatePublicKey,
        verifySignature,
    )
    from google.protobuf.message import DecodeError
except ModuleNotFoundError as exc:
    raise MissingExtraError("signal") from exc

__all__ = [
    "AESCipher",
    "ChainKey",
    "DecodeError",
    "DerivedMessageSecrets",
    "DjbECPrivateKey",
    "DjbECPublicKey",
    "ECKeyPair",
    "HKDFv3",
    "InvalidKeyException",
    "InvalidMessageException",
    "InvalidVersionException",
    "LegacyMessageException",
    "PreKeyWhisperMessage",
    "RatchetingSession",
    "RootKey",
    "SenderChainKey",
    "SenderKeyDistributionMessage",
    "SenderKeyFields",
    "SenderKeyMessage",
    "SenderMessageKey",
    "SessionCipher",
    "SessionRecord",
    "SessionState",
    "WhisperMessage",
    "calculateAgreement",
    "calculateSignature",
    "generatePrivateKey",
    "generatePublicKey",
    "verifySignature",
]
