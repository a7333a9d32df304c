"""A step of a change of rules, as the release log has it: canonical JSON, chained by SHA-256, signed with Ed25519."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.decide.decide import as_json

SYSTEM: Final = "iftah"  # the actor of steps that no person takes
COMMAND_LINE: Final = "operator"  # the actor of a command without a key


@dataclass(frozen=True)
class Step:
    """One step. `at` in microseconds since 1970; `proposal` is its number; `key` the fingerprint of the key that signed it.

    `seq` and `hash` are its place in the log: 0 and empty until it is there.
    """

    kind: str
    actor: str
    at: int
    proposal: int | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    signature: str | None = None
    seq: int = 0
    hash: str = ""


def entry_hash(previous: str, step: Step) -> str:
    """The hash of a step after the hash `previous`. SHA-256, hex."""
    columns = ("kind", "actor", "at", "proposal", "key", "signature")
    entry = as_json({**{c: getattr(step, c) for c in columns}, "content": dict(step.content)})
    return hashlib.sha256(f"{previous}\n{entry}".encode()).hexdigest()


def text_hash(text: str) -> str:
    """The SHA-256 of a text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def text_to_sign(kind: str, proposal: int | None, content: Mapping[str, Any]) -> bytes:
    """The bytes that a signature of a step covers.

    The content of each such step names something that occurs once: a manifest, or the activation that it replaces. So nobody can
    use a signature again for another step.
    """
    return f"iftah.{kind}.1\n{as_json({'proposal': proposal, 'content': dict(content)})}".encode()


def fingerprint_of(public: str) -> str:
    """The first 16 hex digits of the SHA-256 of a public key."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]


def public_key_of(private: Ed25519PrivateKey) -> str:
    """The public key as 64 hex digits."""
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def is_signature(public: str, signature: str, text: bytes) -> bool:
    """Whether the key made the signature over the text. All in hex; False also for what is no key or no signature."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True
