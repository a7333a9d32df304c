"""Who takes a step: a party with a role, and the key that signs for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api.releases.release_states import ReleaseState
from api.releases.steps import SYSTEM, Step, fingerprint_of, public_key_of, text_to_sign
from engine.errors import Rejected

SYSTEM_ROLE: Final = "system"


@dataclass(frozen=True)
class Actor:
    """A party that takes a step. `private` signs each step; a caller over HTTP sends `key` and `signature` instead."""

    party: str
    role: str  # operator, approver, or system
    private: Ed25519PrivateKey | None = None
    key: str | None = None
    signature: str | None = None

    def step(self, kind: str, at: int, proposal: int | None = None, content: Mapping[str, Any] | None = None) -> Step:
        """The step, signed if we can."""
        values = dict(content or {})
        if self.private is None:
            return Step(kind, self.party, at, proposal, values, self.key, self.signature)
        signature = self.private.sign(text_to_sign(kind, proposal, values)).hex()
        return Step(kind, self.party, at, proposal, values, fingerprint_of(public_key_of(self.private)), signature)

    def require(self, *roles: str) -> None:
        """Raise Rejected `wrong_role` unless the party has one of these roles."""
        if self.role not in (*roles, SYSTEM_ROLE):
            message = f"{self.party} has the role {self.role}: this needs {' or '.join(roles)}"
            raise Rejected(message, where="releases", hint="ask somebody with that role", code="wrong_role")


THE_SYSTEM: Final = Actor(SYSTEM, SYSTEM_ROLE)


def actor_of_key(private: Ed25519PrivateKey, state: ReleaseState) -> Actor:
    """The party whose key it is. Raises Rejected `unknown_key` or `key_revoked`."""
    key = state.keys.get(fingerprint_of(public_key_of(private)))
    if key is None:
        raise Rejected(
            "nobody registered this key", where="key", hint="register it: `iftah key new`", code="unknown_key"
        )
    if key.revoked:
        message = f"the key {key.fingerprint} is revoked"
        raise Rejected(message, where="key", hint="make another: `iftah key new`", code="key_revoked")
    return Actor(key.party, key.role, private)


def new_key(path: Path) -> Ed25519PrivateKey:
    """Make a private key and write it to a new file that only its owner can read. Raises Rejected `bad_key` if the file exists."""
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(text)
    except OSError as error:
        hint = "name another file: --out"
        raise Rejected(f"cannot be written: {error.strerror}", where=str(path), hint=hint, code="bad_key") from None
    return private


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file. Raises Rejected `bad_key`."""
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        hint = "name the file of your key: --key, or IFTAH_KEY"
        raise Rejected(f"cannot be read: {error.strerror}", where=str(path), hint=hint, code="bad_key") from None
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        hint = "make one: `iftah key new`"
        raise Rejected("this is no private key of Ed25519", where=str(path), hint=hint, code="bad_key")
    return private
