"""Sender: messages leave the outbox, signed by Standard Webhooks, at least once.

A message is taken for a while, sent outside any transaction, and what came of it is written down. When a server dies in between, the
message is another's to take after that while; the merchant tells by its `webhook-id` that it has it already. Only an answer 2xx
within `ANSWER` seconds counts; redirects are not followed, and no proxy of the environment is used.
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
from fastapi import FastAPI
from sqlalchemy import Engine
from standardwebhooks import Webhook

from api import clock
from api.background.rounds import Trouble, beside
from api.database import writing
from api.orders import callback_keys, messages, targets
from api.orders.messages import Message
from api.settings import settings
from engine.errors import Refused

ANSWER: Final = 5.0  # seconds
EVERY: Final = 0.25  # seconds between looks while there is nothing to send
MOST: Final = 64  # messages under way together

Now = Callable[[], datetime]


@contextmanager
def sending(app: FastAPI) -> Iterator[None]:
    """Send what waits, until the end."""
    private = settings().callbacks_private
    with beside("callbacks", lambda stop: asyncio.run(_rounds(app.state.world.database, private, stop))):
        yield


def send_all(engine: Engine, now: datetime, private: bool, most: int = MOST) -> int:
    """Send what waits at `now`, each message once; how many that were."""

    async def taken() -> int:
        found = messages.take(engine, now, most)
        async with _client() as client:
            await asyncio.gather(*(_deliver(engine, client, message, private, lambda: now) for message in found))
        return len(found)

    return asyncio.run(taken())


async def _rounds(engine: Engine, private: bool, stop: Event) -> None:
    trouble, under_way = Trouble("callbacks"), set[asyncio.Task[None]]()
    async with _client() as client:
        while not stop.is_set():
            found: list[Message] = []
            try:
                if len(under_way) < MOST:
                    found = await asyncio.to_thread(messages.take, engine, clock.now(), MOST - len(under_way))
                trouble.is_over()
            except Exception as error:
                trouble.is_(error)
            for message in found:
                task = asyncio.create_task(_tried(engine, client, message, private, trouble))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(0 if found else EVERY)
        await asyncio.gather(*under_way)


async def _tried(engine: Engine, client: httpx2.AsyncClient, message: Message, private: bool, trouble: Trouble) -> None:
    """What was not written down is sent once more, when its while is over."""
    try:
        await _deliver(engine, client, message, private, clock.now)
    except Exception as error:
        trouble.is_(error)


async def _deliver(engine: Engine, client: httpx2.AsyncClient, message: Message, private: bool, now: Now) -> None:
    secrets = await asyncio.to_thread(callback_keys.kept, engine, message.merchant, now())
    status = await _sent(client, message, secrets, private, now())
    await asyncio.to_thread(_done, engine, message, status, now())


async def _sent(
    client: httpx2.AsyncClient, message: Message, secrets: list[str], private: bool, now: datetime
) -> int | None:
    """The status of the answer; None when there was none in time, or the address may not be sent to."""
    try:
        async with asyncio.timeout(ANSWER):
            target = await targets.check(message.url, private, message.merchant)
            headers = {"Host": target.host, **signed(message, secrets, now)}
            named = {"sni_hostname": target.url.host}  # whose certificate it must be
            request = client.build_request(
                "POST", target.direct, content=message.body.encode(), headers=headers, extensions=named
            )
            response = await client.send(request, stream=True)  # what the body says is of no interest
            await response.aclose()
            return response.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError, Refused):
        return None


def signed(message: Message, secrets: list[str], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks; with a signature by each of the secrets."""
    signatures = (Webhook(secret).sign(message.id, now, message.body) for secret in secrets)
    return {
        **{"Content-Type": "application/json", "User-Agent": "iftah"},
        **{"webhook-id": message.id, "webhook-timestamp": str(int(now.timestamp()))},
        "webhook-signature": " ".join(signatures),
    }


def _done(engine: Engine, message: Message, status: int | None, now: datetime) -> None:
    with writing(engine) as connection:
        messages.done(connection, message, status, now)


def _client() -> httpx2.AsyncClient:
    # A connection is never used again: it was checked to be to one name, and another name may have the same address.
    once = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx2.AsyncClient(verify=_context(), trust_env=False, follow_redirects=False, timeout=ANSWER, limits=once)


@cache
def _context() -> ssl.SSLContext:
    """Reading all roots takes longer than many sendings. Operators can add their own by SSL_CERT_FILE."""
    return httpx2.create_ssl_context()
