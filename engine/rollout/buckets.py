"""Divide people into 10,000 buckets of equal size, so that a release can decide for a share of them.

The bucket is a keyed hash of the person's pseudonym. So a person stays in one bucket, nobody without the key can tell which, and a
larger share has everyone of a smaller one. With one key for all releases, the same people would always go first: derive a key for
each release, for example by HMAC of its id.
"""

import hashlib
import hmac
from typing import Final

from engine.errors import Rejected

BUCKETS: Final = 10_000  # a bucket is a basis point: a hundredth of a per cent
_HASH_BYTES: Final = 8


def bucket(key: bytes, person: str) -> int:
    """The bucket of a person's pseudonym under a secret key: 0 to 9,999.

    HMAC-SHA256 (RFC 2104), its first 8 bytes modulo 10,000. The remainder favours some buckets by less than 10,000 / 2**64, which
    is 5e-16 of their size. Raises Rejected if the key is empty.
    """
    if not key:
        raise Rejected("the key of the buckets is empty", where="key", hint="give 32 random bytes", code="bad_key")
    digest = hmac.digest(key, person.encode(), hashlib.sha256)
    return int.from_bytes(digest[:_HASH_BYTES], "big") % BUCKETS


def takes_part(key: bytes, person: str, share: int) -> bool:
    """Whether a person is in a share, in basis points: 0 for nobody, 10,000 for everyone.

    Whoever is in a share is in each larger one. Raises Rejected if the share lies outside, and as `bucket` does.
    """
    if not 0 <= share <= BUCKETS:
        raise Rejected(f"a share of `{share}` basis points", where="share", hint="give 0 to 10000", code="bad_share")
    return bucket(key, person) < share
