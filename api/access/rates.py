"""Rate limits: of requests by a token, and of invalid tokens from an address."""

import logging
import math
import time
from collections.abc import Callable
from typing import Final, TypeVar

from limits import RateLimitItem, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from engine.errors import Rejected

log = logging.getLogger("iftah")

MEMORY: Final = "memory://"
StorageResult = TypeVar("StorageResult")


class TooManyRequests(Rejected):
    """Too many requests. `retry_after`: seconds after which you may repeat the request."""

    def __init__(self, message: str, retry_after: int, where: str = "Authorization") -> None:
        hint = f"wait {retry_after} second{'s' * (retry_after != 1)}"
        super().__init__(message, where=where, hint=hint, code="too_many_requests")
        self.retry_after = retry_after


class Rates:
    """The limits, over one storage. `0` means no limit. Raises Rejected for an invalid limit or storage.

    If a storage of several processes does not answer, we apply no limit: we log this, and answer the requests.
    """

    def __init__(self, requests: str = "0", failures: str = "0", storage: str = MEMORY) -> None:
        self._requests = _limit(requests, "IFTAH_RATE_LIMIT")
        self._failures = _limit(failures, "IFTAH_RATE_LIMIT_FAILURES")
        store = _storage(storage)
        self._limiter = SlidingWindowCounterRateLimiter(store)
        self._storage_down = False
        self.is_remote = not isinstance(store, MemoryStorage)  # whether we count in another process

    def count_request(self, key: str) -> None:
        """Count a request. Raises TooManyRequests beyond the limit."""
        if self._requests and not self._hit(self._requests, "token", key):
            raise self._too_many(self._requests, "token", key, "too many requests with this token")

    def count_failure(self, address: str) -> None:
        """Count an invalid token. Raises TooManyRequests beyond the limit, as `check_failures`."""
        if self._failures and not self._hit(self._failures, "address", address):
            self.check_failures(address)

    def check_failures(self, address: str) -> None:
        """Raises TooManyRequests if the address sent too many invalid tokens."""
        if self._failures and not self._has_room(self._failures, "address", address):
            raise self._too_many(self._failures, "address", address, "too many tokens that are not valid")

    def _hit(self, limit: RateLimitItem, *key: str) -> bool:
        return self._ask_storage(lambda: self._limiter.hit(limit, *key), default=True)

    def _has_room(self, limit: RateLimitItem, *key: str) -> bool:
        return self._ask_storage(lambda: self._limiter.test(limit, *key), default=True)

    def _too_many(self, limit: RateLimitItem, kind: str, key: str, message: str) -> TooManyRequests:
        stats = self._ask_storage(lambda: self._limiter.get_window_stats(limit, kind, key), default=None)
        seconds = 0.0 if stats is None else stats.reset_time - time.time()
        return TooManyRequests(message, max(1, math.ceil(seconds)))

    def _ask_storage(self, operation: Callable[[], StorageResult], *, default: StorageResult) -> StorageResult:
        """The storage's answer; `otherwise`, if it does not answer."""
        try:
            result = operation()
        except StorageError as error:
            if not self._storage_down:
                log.error("requests are not counted: %s", type(error.storage_error).__name__)
            self._storage_down = True
            return default
        if self._storage_down:
            log.info("requests are counted again")
        self._storage_down = False
        return result


def _limit(text: str, setting: str) -> RateLimitItem | None:
    if text.strip() == "0":
        return None
    try:
        return parse(text)
    except ValueError:
        hint = "write 600/minute, or 0 for none"
        raise Rejected(f"`{text[:40]}` is not a limit", where=setting, hint=hint, code="bad_setting") from None


def _storage(url: str) -> Storage:
    try:
        return storage_from_string(url, wrap_exceptions=True)  # type: ignore[return-value]
    except (ConfigurationError, ValueError, TypeError):  # its text may contain the password of the URL
        hint = "use memory://, or redis://host:6379 with the package `redis` installed"
        where = "IFTAH_RATE_LIMIT_STORAGE"
        raise Rejected("requests cannot be counted there", where=where, hint=hint, code="bad_setting") from None
