"""The guides, from top to bottom: their requests are sent, their answers compared, their files loaded, their code run.

A request is sent to a town as it stands in the page. `NAME=value` of a block is taken from the answer before it. An answer is as
the page shows it where it has what is shown; `…` in a shown text is anything.
"""

import base64
import hashlib
import hmac
import json
import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from api.runtime.context import AppContext
from tests.api.merchant_client import MerchantClient
from tests.guide_transcript import RULES, with_output
from tests.paths import DOCS

GUIDES = DOCS / "guides"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.M | re.S)
# The field of the earlier answer that a placeholder stands for.
KEYS = {"REQUEST": "id", "DECISION": "decision_id", "ORDER": "order_id", "ITEM": "event_id"}
KEYS |= {"DISPUTE": "dispute_id", "REVIEW": "review_id"}
ROLES = {"MERCHANT": ("merchant", "inn"), "OPERATOR": ("operator", "casework")}
SHORT_ID = re.compile(r"[0-9a-f]{4}…")
ADDRESS = "http://127.0.0.1:8000"


class Reader:
    """Somebody who follows a guide, with `p-1` as the person."""

    def __init__(self, town: AppContext) -> None:
        self.client = MerchantClient(town)
        self.person = self.client.scored_person(min_score=650)
        self.client.now += timedelta(days=30)
        self.values: dict[str, str] = {}
        self.ids: dict[str, str] = {}  # as the page shows them -> as they are
        self.answer: Any = None

    def follow(self, page: Path) -> None:
        for language, body in BLOCK.findall(self.for_this_town(page.read_text(encoding="utf-8"))):
            if language == "json" and self.answer is not None:
                assert_shown(json.loads(body), self.answer, self.ids)
                self.answer = None
            elif language == "sh":
                self.do(body)

    def for_this_town(self, text: str) -> str:
        """The page about a person of this town, and the event by which they were enrolled."""
        number = int(self.person.removeprefix("p-"))
        text = text.replace('"p-1"', f'"{self.person}"').replace("/people/p-1/", f"/people/{self.person}/")
        return text.replace('"n-0"', f'"n-{number - 1}"')

    def do(self, block: str) -> None:
        for name in re.findall(r"^([A-Z]+)=\S+$", block, re.M):
            self.values[name] = self.value(name)
        if block.startswith("curl"):
            self.answer = self.last = self.send(block)

    def value(self, name: str) -> str:
        if name in KEYS:
            return str(first(self.last, KEYS[name]))
        return self.client.issue(*ROLES.get(name, ("subject", self.person)))

    def send(self, block: str) -> Any:
        """Send a request, and give the answer's JSON. A request that is refused fails the test."""
        text, _, document = block.partition("<<END\n")
        text, document = self.fill_in(text), self.fill_in(document.removesuffix("END\n"))
        words = shlex.split(text.replace("\\\n", " "))
        options = [(words[i], words[i + 1]) for i in range(len(words) - 1) if words[i] in ("-X", "-H", "-d")]
        headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
        body = next((document or value for option, value in options if option == "-d"), None)
        method = next((value for option, value in options if option == "-X"), "POST" if body else "GET")
        path = next(word for word in words if word.startswith(ADDRESS)).removeprefix(ADDRESS)
        response = self.client.http.request(method, path, headers=headers, content=body)
        assert response.status_code in (200, 201), f"{block}: {response.text}"
        return response.json()

    def fill_in(self, text: str) -> str:
        for name in re.findall(r"\$([A-Z]+)", text):
            text = text.replace(f"${name}", self.values[name])
        return text


def first(answer: Any, key: str) -> Any:
    """The first value under a key, wherever it is in an answer."""
    if isinstance(answer, dict) and key in answer:
        return answer[key]
    values = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return next((value for inner in values if (value := first(inner, key)) is not None), None)


def assert_shown(expected: Any, actual: Any, ids: dict[str, str]) -> None:
    """That an answer has what the page shows of it. An id such as `7f31…` is the same one wherever the page has it."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_shown(value, actual[key], ids)
    elif isinstance(expected, list):
        assert len(expected) == len(actual)
        for one, other in zip(expected, actual, strict=True):
            assert_shown(one, other, ids)
    elif isinstance(expected, str) and SHORT_ID.fullmatch(expected):
        assert ids.setdefault(expected, actual) == actual
    elif isinstance(expected, str):
        assert re.fullmatch(".*".join(map(re.escape, expected.split("…"))), actual), (
            f"{expected} is shown, {actual} came"
        )
    else:
        assert expected == actual


@pytest.fixture
def reader(town: AppContext, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setenv("IFTAH_ALLOW_PRIVATE_CALLBACKS", "true")
    return Reader(town)


def test_an_integrator_follows_the_guide_to_a_settled_order(reader: Reader) -> None:
    reader.follow(GUIDES / "integrators.md")
    assert reader.last["sandbox"] is True  # the section that closes the guide
    assert {"MERCHANT", "SUBJECT", "REQUEST", "DECISION", "ORDER"} <= set(reader.values)


def test_an_operator_follows_the_guide_through_a_day(reader: Reader) -> None:
    reader.client.ask(reader.person)  # the guide for integrators comes first
    reader.follow(GUIDES / "operators.md")
    assert reader.last["outcome"] == "stands"


def test_the_guides_code_verifies_our_callbacks_and_rejects_others() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (GUIDES / "integrators.md").read_text(encoding="utf-8"), re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    secret, body = "whsec_" + base64.b64encode(b"k" * 24).decode(), b'{"type": "order.paid"}'
    sent = names["time"].time()
    stamp = str(int(sent))
    digest = hmac.new(b"k" * 24, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp}
    headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    Webhook(secret).verify(body, headers)  # the library agrees that this is a signature
    is_ours = names["is_ours"]
    assert is_ours(secret, headers, body)
    assert not is_ours(secret, headers, body + b" ")
    assert not is_ours(secret, headers | {"webhook-id": "msg_2"}, body)
    assert not is_ours(secret, headers | {"webhook-timestamp": str(int(sent) - 600)}, body)


@pytest.mark.parametrize("guide", RULES, ids=lambda guide: guide.stem)
def test_the_terminal_in_a_guide_matches_the_commands_output(guide: Path, tmp_path: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    assert with_output(text, tmp_path, RULES[guide]) == text, "run `python -m tests.guide_transcript`"
