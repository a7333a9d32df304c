"""Every page of merchants and people, in both languages, at both widths, light and dark: pictures to look at, and what a machine can see."""

import re
from collections.abc import Callable

import pytest

from tests.api.console.browser import Visitor
from tests.api.console.town_server import CLASSES, TownServer
from tests.translations import texts

Open = Callable[..., Visitor]

OWN_WORDS = {"two nights", "English", "I never did this"}  # what people wrote, and names
_TEXT_NODES = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), texts = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (!node.parentElement.closest('pre, script, code, .mono, [lang=en]')) texts.push(node.textContent.trim());
  return texts;
}"""
_SPILL = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def pages(town_server: TownServer) -> dict[str, tuple[tuple[str, str], str]]:
    """Each page by its name: whose it is, and its address; with content on it."""
    person = town_server.people[-1]
    town_server.consent("inn", person)
    decision = town_server.ask("inn", person)
    best = town_server.people[0]
    town_server.consent("inn", best)
    order = town_server.order("inn", best)
    town_server.call("POST", f"/v1/me/orders/{order['order_id']}/confirm", town_server.token("subject", best))
    merchant, own = town_server.token("merchant", "inn"), town_server.token("subject", person)
    form = {"service": "rooms", "subject": person, "classes": [*CLASSES, "restricted"]}
    request = town_server.call("POST", "/v1/consents", merchant, form | {"return_url": "https://inn.example/back"})
    item = next(i for i in town_server.call("GET", "/v1/me/evidence", own)["items"] if i["data_class"] == "behaviour")
    objection = {"contributor": item["contributor"], "event_id": item["event_id"], "statement": "I never did this"}
    town_server.call("POST", "/v1/me/disputes", own, objection)
    walk = "/sandbox?service=rooms&person=sandbox-partial&amount=500&steps=create,confirm,complete"
    return {
        "me": (("subject", best), "/me?goal=hotel"),
        "inquiries": (("subject", person), "/me/inquiries"),
        "consents": (("subject", person), "/me/consents"),
        "consent": (("subject", person), request["page"]),
        "evidence": (("subject", person), "/me/evidence"),
        "numbers": (("subject", best), "/me/evidence/numbers"),
        "my-orders": (("subject", best), "/me/orders"),
        "leave": (("subject", person), "/me/leave"),
        "leave-confirm": (("subject", person), "/me/leave/confirm"),
        "ask": (("merchant", "inn"), "/ask"),
        "answer": (("merchant", "inn"), f"/ask/{decision['decision_id']}"),
        "ask-consent": (("merchant", "inn"), f"/ask/consents/{request['id']}"),
        "orders": (("merchant", "inn"), "/orders"),
        "order": (("merchant", "inn"), "/orders/O-1"),
        "services": (("merchant", "inn"), "/services"),
        "service": (("merchant", "inn"), "/services/rooms"),
        "service-new": (("merchant", "inn"), "/services/new"),
        "callbacks": (("merchant", "inn"), "/callbacks"),
        "callback-secret": (("merchant", "inn"), "/callbacks/secret"),
        "callback-check": (("merchant", "inn"), "/callbacks/check"),
        "reconciliation": (("merchant", "inn"), "/reconciliation"),
        "integration": (("merchant", "inn"), "/integration"),
        "sandbox": (("merchant", "inn"), walk),
    }


@pytest.mark.parametrize(
    ("width", "scheme"), [("wide", "light"), ("narrow", "dark"), ("wide", "dark"), ("narrow", "light")]
)
def test_every_page_reads_well_in_both_languages(
    visitor: Open, town_server: TownServer, width: str, scheme: str
) -> None:
    windows: dict[tuple[str, str, str], Visitor] = {}
    problems, known_texts = [], set(texts())
    for name, (holder, path) in pages(town_server).items():
        node_texts = {}
        for language in ("en", "zh"):
            window = windows.get((*holder, language))
            if window is None:
                window = windows[*holder, language] = visitor(language=language, width=width, scheme=scheme)
                window.sign_in(town_server.token(*holder))
            answer = window.page.goto(path)
            if answer is None or answer.status != 200 or window.page.evaluate(_SPILL) > 0:
                problems.append(f"{name} {language}: an error, or wider than the screen")
            problems += [f"{name} {language}: {violation}" for violation in window.violations()]
            window.screen(f"desk-{name}")
            node_texts[language] = window.page.evaluate(_TEXT_NODES)
        same = {text for text in node_texts["zh"] if text in node_texts["en"] and re.search("[A-Za-z]{3}", text)}
        problems += [f"{name}: not translated: {text}" for text in same & known_texts - OWN_WORDS]
        problems += [
            f"{name}: not translated: {text}" for text in same - OWN_WORDS if len(re.findall("[A-Za-z]{2,}", text)) > 2
        ]
    assert problems == []
