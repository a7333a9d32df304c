"""Callbacks: signed, at least once, by the schedule; to a receiver that fails, hangs and answers late."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Engine
from standardwebhooks import Webhook, WebhookVerificationError

from api import services
from api.background import sender
from api.clock import now as present
from api.database import writing
from api.orders import callback_keys, messages
from api.orders.messages import SCHEDULE, Message
from api.orders.order_book import Order
from api.services import Terms
from api.world import World
from tests.api.door import refused
from tests.api.ordering import Counter
from tests.api.receiver import Receiver, receiving
from tests.api.world import NOW


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def order(number: str = "O-1", merchant: str = "inn") -> Order:
    return Order(
        **{"id": f"{merchant}-{number}", "merchant": merchant, "out_order_no": number, "service": "hotel"},
        **{"service_version": 1, "decision": f"d-{merchant}-{number}", "subject": "ann", "perk": "hotel"},
        **{"currency": "CNY", "mode": "waive_first", "waived": 100, "ceiling": None, "state": "created"},
        **{"created_at": NOW, "changed_at": NOW, "digest": "", "content": {"attach": "桌 4"}},
    )


def wait_for(engine: Engine, url: str | None, *numbers: str, merchant: str = "inn", at: datetime = NOW) -> None:
    """Messages that wait to be sent to `url`, one for each number."""
    services.sign_up(engine, merchant, "hotel", Terms("hotel", callback=url), at)
    with writing(engine) as connection:
        for number in numbers:
            messages.put(connection, order(number, merchant), "created", at)


def known(engine: Engine, merchant: str = "inn") -> list[Message]:
    return messages.listed(engine, merchant, None, 100)


def test_a_message_is_signed_and_tells_of_the_order_and_of_nobody(engine: Engine, receiver: Receiver) -> None:
    now = present()  # the library verifies by the clock
    wait_for(engine, receiver.url, "O-1", at=now)
    assert sender.send_all(engine, now, private=True) == 1
    ((headers, body),) = receiver.got
    (secret,) = callback_keys.kept(engine, "inn", now)
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], told["data"]["out_order_no"], told["data"]["attach"]) == ("order.created", "O-1", "桌 4")
    assert "ann" not in body
    (message,) = known(engine)
    assert (message.id, message.state, message.status, message.attempts) == (headers["webhook-id"], "sent", 200, 1)
    assert sender.send_all(engine, now + timedelta(days=2), private=True) == 0
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + " ", headers)


def test_for_a_day_after_a_rotation_both_secrets_sign(engine: Engine, receiver: Receiver) -> None:
    now = present()
    wait_for(engine, receiver.url, "O-1", at=now)
    (old,) = callback_keys.kept(engine, "inn", now)
    new, *_ = callback_keys.rotated(engine, "inn", now)
    sender.send_all(engine, now, private=True)
    ((headers, body),) = receiver.got
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)


def test_what_fails_is_tried_by_the_schedule_and_then_given_up(engine: Engine, receiver: Receiver) -> None:
    receiver.status, at = 500, NOW
    wait_for(engine, receiver.url, "O-1")
    for wait in SCHEDULE:
        assert sender.send_all(engine, at, private=True) == 1
        at += timedelta(seconds=wait)
        assert sender.send_all(engine, at - timedelta(microseconds=1), private=True) == 0
    assert at - NOW == timedelta(hours=24, minutes=4)
    assert sender.send_all(engine, at, private=True) == 1
    assert sender.send_all(engine, at + timedelta(days=9), private=True) == 0
    (message,) = known(engine)
    assert (message.state, message.attempts, message.status) == ("failed", 16, 500)
    assert len(set(receiver.ids())) == 1  # by which the merchant knows it


def test_a_message_given_up_is_sent_again_when_the_merchant_asks(town: World, receiver: Receiver) -> None:
    counter = Counter(town, callback=receiver.url)
    counter.order()
    receiver.status = 410
    for wait in (0, *SCHEDULE):
        sender.send_all(town.database, counter.later(seconds=wait), private=True)
    headers = counter.bearer(counter.token)
    (failed,) = counter.client.get("/v1/callbacks?state=failed", headers=headers).json()["items"]
    assert (failed["event"], failed["attempts"], failed["next_at"]) == ("order.created", 16, None)
    again = f"/v1/callbacks/{failed['id']}/resend"
    refused(
        counter.client.post(again, headers=counter.bearer(counter.issue("merchant", "lodge"))), 404, "unknown_callback"
    )
    assert counter.client.post(again, headers=headers).json()["state"] == "waiting"
    receiver.status = 204
    assert sender.send_all(town.database, counter.now, private=True) == 1
    (sent,) = counter.client.get("/v1/callbacks", headers=headers).json()["items"]
    assert (sent["state"], sent["attempts"]) == ("sent", 1)


def test_a_message_sent_again_goes_to_where_the_merchant_is_by_now(town: World, receiver: Receiver) -> None:
    counter = Counter(town, callback="http://127.0.0.1:9/moved-away")
    counter.order()
    counter.sign_up(callback=receiver.url)
    sender.send_all(town.database, counter.now, private=True)
    headers = counter.bearer(counter.token)
    (waiting,) = counter.client.get("/v1/callbacks", headers=headers).json()["items"]
    assert (waiting["state"], waiting["status"]) == ("waiting", None)
    anew = counter.client.post(f"/v1/callbacks/{waiting['id']}/resend", headers=headers).json()
    assert (anew["url"], anew["attempts"], anew["state"]) == (receiver.url, 0, "waiting")
    sender.send_all(town.database, counter.now, private=True)
    assert receiver.ids() == [waiting["id"]]


@pytest.mark.parametrize("status", [301, 307, 404])
def test_only_2xx_is_an_answer_and_no_redirect_is_followed(engine: Engine, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    wait_for(engine, receiver.url, "O-1")
    sender.send_all(engine, NOW, private=True)
    (message,) = known(engine)
    assert (message.state, message.status, len(receiver.got)) == ("waiting", status, 1)


def test_a_late_answer_is_none_and_holds_up_nobody(
    engine: Engine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.background.sender.ANSWER", 0.2)
    receiver.late = 0.6
    wait_for(engine, receiver.url, *(f"O-{n}" for n in range(9)))
    with receiving() as other:
        wait_for(engine, other.url, "L-1", merchant="lodge")
        began = time.monotonic()
        assert sender.send_all(engine, NOW, private=True) == messages.MOST_OF_ONE + 1
        assert time.monotonic() - began < 2 * messages.MOST_OF_ONE * 0.2 + 1  # together, not one after the other
        assert (len(other.got), known(engine, "lodge")[0].state) == (1, "sent")
    assert {(m.state, m.status) for m in known(engine)} == {("waiting", None)}
    assert sorted(m.attempts for m in known(engine)) == [0] * 5 + [1] * 4


def test_nothing_is_sent_to_where_it_may_not_go(engine: Engine, receiver: Receiver) -> None:
    """Checked at each sending: what the name meant when the service signed up is of no matter."""
    wait_for(engine, receiver.url, "O-1")
    assert sender.send_all(engine, NOW, private=False) == 1
    (message,) = known(engine)
    assert (message.attempts, message.status, receiver.got) == (1, None, [])


def test_a_receiver_that_is_not_there_is_a_failure_like_any(engine: Engine) -> None:
    with receiving() as gone:
        url = gone.url
    wait_for(engine, url, "O-1")
    assert sender.send_all(engine, NOW, private=True) == 1
    assert known(engine)[0].status is None


def test_a_sender_that_dies_after_taking_loses_nothing_and_meanwhile_nobody_else_sends(
    engine: Engine, receiver: Receiver
) -> None:
    wait_for(engine, receiver.url, "O-1")
    (taken,) = messages.take(engine, NOW, 9)  # and dies
    almost = NOW + messages.LEASE - timedelta(microseconds=1)
    assert sender.send_all(engine, almost, private=True) == 0
    assert sender.send_all(engine, NOW + messages.LEASE, private=True) == 1
    assert receiver.ids() == [taken.id]
    with writing(engine) as connection:  # it was not dead, only slow: what it writes down changes nothing any more
        messages.done(connection, taken, 500, NOW + messages.LEASE)
    assert known(engine)[0].state == "sent"


def test_many_senders_at_once_send_each_message_once(engine: Engine, receiver: Receiver) -> None:
    for merchant in ("inn", "lodge", "manor"):
        wait_for(engine, receiver.url, *(f"O-{n}" for n in range(4)), merchant=merchant)
    with ThreadPoolExecutor(4) as threads:
        sent = list(threads.map(lambda _: sender.send_all(engine, NOW, private=True), range(4)))
    assert sum(sent) == len(set(receiver.ids())) == len(receiver.got) == 12


def test_a_message_is_there_if_and_only_if_the_change_is(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Counter(town, callback="https://inn.example/hook")
    made = counter.begun()

    def fails(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(messages, "put", fails)
    refused(counter.complete(), 500, "internal")
    assert counter.state() == "in_service"
    monkeypatch.undo()
    assert counter.complete().json()["state"] == "due"
    events = [m.event for m in known(town.database) if m.order == made["order_id"]]
    assert sorted(events) == ["order.completed", "order.confirmed", "order.created"]


def test_a_service_without_an_address_is_told_nothing(engine: Engine) -> None:
    wait_for(engine, None, "O-1")
    assert known(engine) == []


def test_a_server_sends_beside_answering_until_it_stops(
    town: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IFTAH_CALLBACKS_PRIVATE", "true")
    counter = Counter(town, callback=receiver.url)
    counter.now = present() - timedelta(minutes=1)
    app: Any = SimpleNamespace(state=SimpleNamespace(world=town))
    wait_for(town.database, receiver.url, "O-1", at=counter.now)
    with sender.sending(app):
        give_up = time.monotonic() + 10
        while not receiver.got and time.monotonic() < give_up:
            time.sleep(0.02)
    assert len(receiver.got) == 1
    assert known(town.database)[0].state == "sent"


def test_the_body_is_what_the_order_was_when_it_changed(town: World) -> None:
    counter = Counter(town, callback="https://inn.example/hook")
    counter.due()
    by_event = {m.event: json.loads(m.body) for m in known(town.database)}
    assert {event: body["data"]["state"] for event, body in by_event.items()} == {
        **{"order.created": "created", "order.confirmed": "in_service", "order.completed": "due"}
    }
    assert set(by_event["order.created"]["data"]) == set(counter.seen().json())


def certificate(folder: Path, name: str) -> Path:
    """A key, and a certificate of that name signed by itself."""
    key, who = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(present() - timedelta(days=1))
        .not_valid_after(present() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none) + made.public_bytes(pem))
    return path


@pytest.mark.parametrize(
    ("database_url", "name", "status"),
    [("sqlite", "inn.example", 200), ("sqlite", "lodge.example", None)],
    indirect=["database_url"],
)
def test_https_is_to_the_address_that_was_checked_and_the_name_that_was_given(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int | None
) -> None:
    path, asked = certificate(tmp_path, name), socket.getaddrinfo
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    monkeypatch.setattr(sender, "_context", lambda: ssl.create_default_context(cafile=path))
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, *a, **k: asked(host.replace("inn.example", "127.0.0.1"), *a, **k)
    )
    with receiving(context) as receiver:
        wait_for(engine, receiver.url.replace("http://127.0.0.1", "https://inn.example"), "O-1")
        sender.send_all(engine, NOW, private=True)
        assert known(engine)[0].status == status
        assert [headers["host"].partition(":")[0] for headers, _ in receiver.got] == ["inn.example"] * (status == 200)
