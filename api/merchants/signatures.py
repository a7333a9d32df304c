"""Check a callback's signature, as its merchant should: by Standard Webhooks, with a secret in force."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from standardwebhooks import Webhook

TOLERANCE: Final = timedelta(
    minutes=5
)  # between the time in the header and the clock, as the guide for integrators has it


@dataclass(frozen=True)
class SignedMessage:
    """The three headers and the exact body of a callback."""

    id: str
    timestamp: int
    signature: str
    body: str


@dataclass(frozen=True)
class SignatureCheck:
    """Whether a signature is ours, and whether it is fresh: a merchant accepts a message only if both hold."""

    matches: bool
    is_fresh: bool


def check(message: SignedMessage, secrets: Sequence[str], now: datetime) -> SignatureCheck:
    """Check a message. One matching signature of several is enough: after a rotation we sign with two secrets."""
    sent_at = datetime.fromtimestamp(message.timestamp, UTC)
    expected = [Webhook(secret).sign(message.id, sent_at, message.body) for secret in secrets]
    candidates = message.signature.split()
    matches = any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in candidates)
    return SignatureCheck(matches, abs(now - sent_at) <= TOLERANCE)
