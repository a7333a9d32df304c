"""The keys of operators and approvers, as the release log has them."""

from api.proposals.actors import Actor
from api.releases.release_log import append
from api.releases.release_states import ReleaseState
from api.releases.steps import COMMAND_LINE, is_signature, text_to_sign
from api.store.database import Database
from engine.errors import Rejected

KEY_DIGITS = 64
_COMMAND = Actor(COMMAND_LINE, "operator")


def register(database: Database, party: str, role: str, public: str, now: int, actor: Actor = _COMMAND) -> ReleaseState:
    """Register a public key, 64 hex digits. Raises Rejected `bad_key` for another text, or a key that is registered."""
    content = {"public": _public_key(public), "party": party, "role": role}
    return append(database, lambda _: [actor.step("key", now, None, content)])


def register_own(database: Database, actor: Actor, public: str, proof: str, now: int) -> ReleaseState:
    """Register the actor's own key. `proof` is its signature of `key_text`, so nobody registers a key that somebody else holds.

    Raises Rejected as `register`, and `bad_signature`.
    """
    content = {"public": _public_key(public), "party": actor.party, "role": actor.role}
    if not is_signature(content["public"], proof, text_to_sign("key", None, content)):
        hint = f"sign this with it, and send the signature: {key_text(actor, content['public'])!r}"
        raise Rejected("the signature is not of this key", where="signature", hint=hint, code="bad_signature")
    return append(database, lambda _: [actor.step("key", now, None, {**content, "proof": proof})])


def key_text(actor: Actor, public: str) -> str:
    """The text that the owner of a key signs with it, to register it."""
    return text_to_sign("key", None, {"public": public, "party": actor.party, "role": actor.role}).decode()


def _public_key(text: str) -> str:
    public = text.strip().lower()
    if len(public) != KEY_DIGITS or not set(public) <= set("0123456789abcdef"):
        hint = "write the 64 hex digits that `iftah key new` prints"
        raise Rejected("this is no public key of Ed25519", where="key", hint=hint, code="bad_key")
    return public


def revoke(database: Database, fingerprint: str, reason: str, now: int, actor: Actor = _COMMAND) -> ReleaseState:
    """Revoke a key. Raises Rejected `unknown_key`, or `no_reason`."""
    content = {"key": fingerprint, "reason": reason}
    return append(database, lambda _: [actor.step("revocation", now, None, content)])
