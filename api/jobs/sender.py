"""Send messages from the outbox to merchants at least once, signed by Standard Webhooks.

We lease a message, send it outside any transaction, and record the result. If a server dies in between, another server may take the
message after the lease ends; the merchant recognises a repeated message by its `webhook-id`. Only a 2xx answer within
`RESPONSE_TIMEOUT_SECONDS` counts. We follow no redirects and use no proxy of the environment.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from threading import Event
from typing import Final

import httpx2
from standardwebhooks import Webhook

from api.jobs.periodic import FailureLog, background_thread
from api.jobs.watermarks import GetMarks, unknown
from api.merchants import callback_keys, callback_targets
from api.orders import messages
from api.orders.messages import Message
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store import clock
from api.store.database import Database, writing
from engine.errors import Rejected

RESPONSE_TIMEOUT_SECONDS: Final = 5.0
INTERVAL_SECONDS: Final = 0.25  # between looks while there is nothing to send
MAX_IN_FLIGHT: Final = 64  # messages being sent at the same time

TimeSource = Callable[[], datetime]


@contextmanager
def sending(
    context: Callable[[], AppContext], marks: GetMarks = unknown, interval: float = INTERVAL_SECONDS
) -> Iterator[None]:
    """Send waiting messages as long as the server runs. `interval`: seconds between looks while there is nothing to send."""
    allow_private = settings().allow_private_callbacks

    def work(stop: Event) -> None:
        asyncio.run(_send_loop(context().database, allow_private, marks, interval, stop))

    with background_thread("callbacks", work):
        yield


def send_all(database: Database, now: datetime, allow_private: bool, limit: int = MAX_IN_FLIGHT) -> int:
    """Send each message that waits at `now` once. Returns the number of messages."""

    async def send_batch() -> int:
        batch = messages.lease_messages(database, now, limit)
        async with _client() as client:
            await asyncio.gather(
                *(_deliver(database, client, message, allow_private, lambda: now) for message in batch)
            )
        return len(batch)

    return asyncio.run(send_batch())


async def _send_loop(database: Database, allow_private: bool, marks: GetMarks, interval: float, stop: Event) -> None:
    failures, in_flight = FailureLog.of_task("callbacks"), set[asyncio.Task[None]]()
    async with _client() as client:
        while not stop.is_set():
            batch: list[Message] = []
            try:
                if len(in_flight) < MAX_IN_FLIGHT and _may_be_due(marks):
                    batch = await asyncio.to_thread(
                        messages.lease_messages, database, clock.now(), MAX_IN_FLIGHT - len(in_flight)
                    )
                failures.clear()
            except Exception as error:
                failures.record(error)
            for message in batch:
                task = asyncio.create_task(_try_deliver(database, client, message, allow_private, failures))
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)
            await asyncio.sleep(0 if batch else interval)
        await asyncio.gather(*in_flight)


def _may_be_due(marks: GetMarks) -> bool:
    newest = marks()
    return newest is None or (newest.message_at is not None and newest.message_at <= clock.micros(clock.wall()))


async def _try_deliver(
    database: Database, client: httpx2.AsyncClient, message: Message, allow_private: bool, failures: FailureLog
) -> None:
    """Send a message. If we cannot record the result, the message is sent again after its lease."""
    try:
        await _deliver(database, client, message, allow_private, clock.now)
    except Exception as error:
        failures.record(error)


async def _deliver(
    database: Database, client: httpx2.AsyncClient, message: Message, allow_private: bool, now: TimeSource
) -> None:
    secrets = await asyncio.to_thread(callback_keys.ensure_secrets, database, message.merchant, now())
    status = await _post(client, message, secrets, allow_private, now())
    await asyncio.to_thread(_record_status, database, message, status, now())


async def send_once(message: Message, secrets: list[str], allow_private: bool, now: datetime) -> int | None:
    """Send a message that no outbox holds. Returns the status of the answer; None as `_post`."""
    async with _client() as client:
        return await _post(client, message, secrets, allow_private, now)


async def _post(
    client: httpx2.AsyncClient, message: Message, secrets: list[str], allow_private: bool, now: datetime
) -> int | None:
    """The status of the answer; None without an answer in time, and for an address that we must not send to."""
    try:
        async with asyncio.timeout(RESPONSE_TIMEOUT_SECONDS):
            target = await callback_targets.check(message.url, allow_private, message.merchant)
            headers = {"Host": target.host, **signature_headers(message, secrets, now)}
            extensions = {"sni_hostname": target.url.host}  # the certificate must be for this name
            request = client.build_request(
                "POST", target.direct, content=message.body.encode(), headers=headers, extensions=extensions
            )
            response = await client.send(request, stream=True)  # we do not read the body
            await response.aclose()
            return response.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError, Rejected):
        return None


def signature_headers(message: Message, secrets: list[str], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks, with one signature per secret."""
    signatures = (Webhook(secret).sign(message.id, now, message.body) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": "iftah",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _record_status(database: Database, message: Message, status: int | None, now: datetime) -> None:
    with writing(database) as connection:
        messages.record_attempt(connection, message, status, now)


def _client() -> httpx2.AsyncClient:
    # We never reuse a connection: it was checked for one host name, and another name may have the same address.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx2.AsyncClient(
        verify=_ssl_context(), trust_env=False, follow_redirects=False, timeout=RESPONSE_TIMEOUT_SECONDS, limits=limits
    )


@cache
def _ssl_context() -> ssl.SSLContext:
    """The TLS context, made once: reading all root certificates takes longer than many requests. Add your own by SSL_CERT_FILE."""
    return httpx2.create_ssl_context()
