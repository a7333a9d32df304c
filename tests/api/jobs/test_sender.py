"""Callbacks: signed, at least once, by the schedule; to a receiver that fails, hangs and answers late."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine
from standardwebhooks import Webhook, WebhookVerificationError

from api.jobs import sender
from api.merchants import callback_keys, services
from api.merchants.services import Terms
from api.orders import messages
from api.orders.messages import RETRY_DELAYS, Message
from api.orders.order_store import Order
from api.runtime.context import AppContext
from api.store.clock import now as present
from api.store.database import writing
from tests.api.callback_receiver import Receiver, run_receiver
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient
from tests.api.town import NOW


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as receiver:
        yield receiver


def order(number: str = "O-1", merchant: str = "inn") -> Order:
    return Order(
        id=f"{merchant}-{number}",
        merchant=merchant,
        out_order_no=number,
        service="hotel",
        service_version=1,
        decision=f"d-{merchant}-{number}",
        subject="ann",
        perk="hotel",
        currency="CNY",
        mode="waive_first",
        waived=100,
        ceiling=None,
        state="created",
        created_at=NOW,
        changed_at=NOW,
        digest="",
        content={"attach": "桌 4"},
    )


def enqueue_messages(
    database: Engine, url: str | None, *numbers: str, merchant: str = "inn", at: datetime = NOW
) -> None:
    """Messages that wait to be sent to `url`, one for each number."""
    services.sign_up(database, merchant, "hotel", Terms("hotel", callback=url), at)
    with writing(database) as connection:
        for number in numbers:
            messages.enqueue_message(connection, order(number, merchant), "created", at)


def messages_of(database: Engine, merchant: str = "inn") -> list[Message]:
    return messages.list_messages(database, merchant, None, 100)


def test_a_message_is_signed_and_describes_the_order_without_naming_a_person(
    database: Engine, receiver: Receiver
) -> None:
    now = present()  # the library verifies by the clock
    enqueue_messages(database, receiver.url, "O-1", at=now)
    assert sender.send_all(database, now, allow_private=True) == 1
    ((headers, body),) = receiver.requests
    (secret,) = callback_keys.ensure_secrets(database, "inn", now)
    payload = Webhook(secret).verify(body, headers)
    assert (payload["type"], payload["data"]["out_order_no"], payload["data"]["attach"]) == (
        "order.created",
        "O-1",
        "桌 4",
    )
    assert "ann" not in body
    (message,) = messages_of(database)
    assert (message.id, message.state, message.status, message.attempts) == (headers["webhook-id"], "sent", 200, 1)
    assert sender.send_all(database, now + timedelta(days=2), allow_private=True) == 0
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + " ", headers)


def test_for_a_day_after_a_rotation_both_secrets_sign(database: Engine, receiver: Receiver) -> None:
    now = present()
    enqueue_messages(database, receiver.url, "O-1", at=now)
    (old,) = callback_keys.ensure_secrets(database, "inn", now)
    new, *_ = callback_keys.rotate(database, "inn", now)
    sender.send_all(database, now, allow_private=True)
    ((headers, body),) = receiver.requests
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)


def test_a_failed_message_is_retried_by_the_schedule_and_then_given_up(database: Engine, receiver: Receiver) -> None:
    receiver.status, at = 500, NOW
    enqueue_messages(database, receiver.url, "O-1")
    for wait in RETRY_DELAYS:
        assert sender.send_all(database, at, allow_private=True) == 1
        at += timedelta(seconds=wait)
        assert sender.send_all(database, at - timedelta(microseconds=1), allow_private=True) == 0
    assert at - NOW == timedelta(hours=24, minutes=4)
    assert sender.send_all(database, at, allow_private=True) == 1
    assert sender.send_all(database, at + timedelta(days=9), allow_private=True) == 0
    (message,) = messages_of(database)
    assert (message.state, message.attempts, message.status) == ("failed", 16, 500)
    assert len(set(receiver.webhook_ids())) == 1  # by which the merchant recognises it


def test_an_abandoned_message_is_sent_again_on_request(town: AppContext, receiver: Receiver) -> None:
    client = OrderClient(town, callback=receiver.url)
    client.create_order()
    receiver.status = 410
    for wait in (0, *RETRY_DELAYS):
        sender.send_all(town.database, client.advance(seconds=wait), allow_private=True)
    headers = client.bearer(client.token)
    (failed_message,) = client.http.get("/v1/callbacks?state=failed", headers=headers).json()["items"]
    assert (failed_message["event"], failed_message["attempts"], failed_message["next_at"]) == (
        "order.created",
        16,
        None,
    )
    resend_path = f"/v1/callbacks/{failed_message['id']}/resend"
    assert_problem(
        client.http.post(resend_path, headers=client.bearer(client.issue("merchant", "lodge"))), 404, "unknown_callback"
    )
    assert client.http.post(resend_path, headers=headers).json()["state"] == "waiting"
    receiver.status = 204
    assert sender.send_all(town.database, client.now, allow_private=True) == 1
    (sent_message,) = client.http.get("/v1/callbacks", headers=headers).json()["items"]
    assert (sent_message["state"], sent_message["attempts"]) == ("sent", 1)


def test_a_repeated_message_goes_to_the_merchants_current_address(town: AppContext, receiver: Receiver) -> None:
    client = OrderClient(town, callback="http://127.0.0.1:9/moved-away")
    client.create_order()
    client.sign_up(callback=receiver.url)
    sender.send_all(town.database, client.now, allow_private=True)
    headers = client.bearer(client.token)
    (message,) = client.http.get("/v1/callbacks", headers=headers).json()["items"]
    assert (message["state"], message["status"]) == ("waiting", None)
    resent_message = client.http.post(f"/v1/callbacks/{message['id']}/resend", headers=headers).json()
    assert (resent_message["url"], resent_message["attempts"], resent_message["state"]) == (receiver.url, 0, "waiting")
    sender.send_all(town.database, client.now, allow_private=True)
    assert receiver.webhook_ids() == [message["id"]]


@pytest.mark.parametrize("status", [301, 307, 404])
def test_only_2xx_is_success_and_no_redirect_is_followed(database: Engine, receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    enqueue_messages(database, receiver.url, "O-1")
    sender.send_all(database, NOW, allow_private=True)
    (message,) = messages_of(database)
    assert (message.state, message.status, len(receiver.requests)) == ("waiting", status, 1)


def test_a_late_answer_is_a_failure_and_delays_no_other_merchant(
    database: Engine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.sender.RESPONSE_TIMEOUT_SECONDS", 0.2)
    receiver.delay = 0.6
    enqueue_messages(database, receiver.url, *(f"O-{n}" for n in range(9)))
    with run_receiver() as other:
        enqueue_messages(database, other.url, "L-1", merchant="lodge")
        started_at = time.monotonic()
        assert sender.send_all(database, NOW, allow_private=True) == messages.MAX_PER_MERCHANT + 1
        assert time.monotonic() - started_at < 2 * messages.MAX_PER_MERCHANT * 0.2 + 1  # concurrently
        assert (len(other.requests), messages_of(database, "lodge")[0].state) == (1, "sent")
    assert {(m.state, m.status) for m in messages_of(database)} == {("waiting", None)}
    assert sorted(m.attempts for m in messages_of(database)) == [0] * 5 + [1] * 4


def test_no_message_is_sent_to_a_forbidden_address(database: Engine, receiver: Receiver) -> None:
    """We check the address at each attempt: the address at sign-up does not matter."""
    enqueue_messages(database, receiver.url, "O-1")
    assert sender.send_all(database, NOW, allow_private=False) == 1
    (message,) = messages_of(database)
    assert (message.attempts, message.status, receiver.requests) == (1, None, [])


def test_an_unreachable_receiver_is_a_failure_like_any_other(database: Engine) -> None:
    with run_receiver() as closed_receiver:
        url = closed_receiver.url
    enqueue_messages(database, url, "O-1")
    assert sender.send_all(database, NOW, allow_private=True) == 1
    assert messages_of(database)[0].status is None


def test_a_message_leased_by_a_dead_sender_is_sent_after_the_lease(database: Engine, receiver: Receiver) -> None:
    enqueue_messages(database, receiver.url, "O-1")
    (message,) = messages.lease_messages(database, NOW, 9)  # and dies
    before_lease_end = NOW + messages.LEASE - timedelta(microseconds=1)
    assert sender.send_all(database, before_lease_end, allow_private=True) == 0
    assert sender.send_all(database, NOW + messages.LEASE, allow_private=True) == 1
    assert receiver.webhook_ids() == [message.id]
    with writing(database) as connection:  # it was slow rather than dead: its record changes nothing any more
        messages.record_attempt(connection, message, 500, NOW + messages.LEASE)
    assert messages_of(database)[0].state == "sent"


def test_many_senders_at_once_send_each_message_once(database: Engine, receiver: Receiver) -> None:
    for merchant in ("inn", "lodge", "manor"):
        enqueue_messages(database, receiver.url, *(f"O-{n}" for n in range(4)), merchant=merchant)
    with ThreadPoolExecutor(4) as threads:
        sent_counts = list(threads.map(lambda _: sender.send_all(database, NOW, allow_private=True), range(4)))
    assert sum(sent_counts) == len(set(receiver.webhook_ids())) == len(receiver.requests) == 12


def test_a_message_exists_if_and_only_if_the_change_was_committed(
    town: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = OrderClient(town, callback="https://inn.example/hook")
    open_order = client.start_order()

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(messages, "enqueue_message", fail)
    assert_problem(client.complete(), 500, "internal")
    assert client.state() == "in_service"
    monkeypatch.undo()
    assert client.complete().json()["state"] == "due"
    events = [m.event for m in messages_of(town.database) if m.order == open_order["order_id"]]
    assert sorted(events) == ["order.completed", "order.confirmed", "order.created"]


def test_a_service_without_an_address_gets_no_message(database: Engine) -> None:
    enqueue_messages(database, None, "O-1")
    assert messages_of(database) == []


def test_a_server_sends_messages_until_it_stops(
    town: AppContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IFTAH_ALLOW_PRIVATE_CALLBACKS", "true")
    client = OrderClient(town, callback=receiver.url)
    client.now = present() - timedelta(minutes=1)
    enqueue_messages(town.database, receiver.url, "O-1", at=client.now)
    with sender.sending(lambda: town):
        deadline = time.monotonic() + 10
        while not receiver.requests and time.monotonic() < deadline:
            time.sleep(0.02)
    assert len(receiver.requests) == 1
    assert messages_of(town.database)[0].state == "sent"


def test_the_body_has_the_state_of_the_order_at_the_change(town: AppContext) -> None:
    client = OrderClient(town, callback="https://inn.example/hook")
    client.create_due_order()
    bodies_by_event = {m.event: json.loads(m.body) for m in messages_of(town.database)}
    assert {event: body["data"]["state"] for event, body in bodies_by_event.items()} == {
        "order.created": "created",
        "order.confirmed": "in_service",
        "order.completed": "due",
    }
    assert set(bodies_by_event["order.created"]["data"]) == set(client.get_order().json()) - {"actions"}


def certificate(folder: Path, name: str) -> Path:
    """A key and a self-signed certificate of that name."""
    key, subject_name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
    )
    cert = (
        x509.CertificateBuilder(subject_name, subject_name, key.public_key(), x509.random_serial_number())
        .not_valid_before(present() - timedelta(days=1))
        .not_valid_after(present() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, no_encryption = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_encryption) + cert.public_bytes(pem))
    return path


@pytest.mark.parametrize(
    ("database_url", "name", "status"),
    [("sqlite", "inn.example", 200), ("sqlite", "lodge.example", None)],
    indirect=["database_url"],
)
def test_https_connects_to_the_checked_address_with_the_given_host_name(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int | None
) -> None:
    path, resolve = certificate(tmp_path, name), socket.getaddrinfo
    tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls_context.load_cert_chain(path)
    monkeypatch.setattr(sender, "_ssl_context", lambda: ssl.create_default_context(cafile=path))
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, *a, **k: resolve(host.replace("inn.example", "127.0.0.1"), *a, **k)
    )
    with run_receiver(tls_context) as receiver:
        enqueue_messages(database, receiver.url.replace("http://127.0.0.1", "https://inn.example"), "O-1")
        sender.send_all(database, NOW, allow_private=True)
        assert messages_of(database)[0].status == status
        assert [headers["host"].partition(":")[0] for headers, _ in receiver.requests] == ["inn.example"] * (
            status == 200
        )
