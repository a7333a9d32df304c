"""The record of a change as one self-contained HTML file without scripts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.render.markup import element
from api.render.swap_tables import STYLE

DIFFERENCE_STYLE = " pre{background:#f4f6f8;padding:.7rem;overflow-x:auto} .add{color:#1b6e3c} .drop{color:#9b2226}"


def as_html(record: Mapping[str, Any]) -> str:
    """The text of the file. `record` is that of `api.proposals.change_record`."""
    title = f"Change of rules {record['proposal']}: {record['state']}"
    style = element("style", STYLE + DIFFERENCE_STYLE)
    head = element("head", element("meta", charset="utf-8"), element("title", title), style)
    page = element("html", head, element("body", element("h1", title), *_sections(record)), lang="en")
    return f"<!DOCTYPE html>\n{ElementTree.tostring(page, encoding='unicode')}\n"


def _sections(record: Mapping[str, Any]) -> Iterator[Element]:
    yield element("p", f"{record['author']}: {record['message']}")
    if record["reason"]:
        yield element("p", f"Reason of its end: {record['reason']}")
    yield element("h2", "Who agreed")
    yield _table(("role", "party", "at", "key", "signature"), record["signatures"])
    yield element("p", f"Manifest {record['manifest_hash']}")
    yield element("h2", "Whom it moves")
    yield from _effect(record["effect"])
    yield element("h2", "Guards")
    yield _table(("measure", "status", "estimate", "low", "high", "needs"), record["guards"])
    yield element("h2", "Outcomes, champion against challenger")
    yield _table(("measure", "difference", "low", "high"), record["outcomes"])
    yield element("h2", "Difference of the text")
    for name, text in record["text_differences"].items():
        yield element("h3", name)
        yield element("pre", *(_line(line) for line in text.splitlines()))
    yield element("h2", "Steps")
    yield _table(("at", "kind", "actor", "key", "hash"), record["steps"])


def _effect(effect: Mapping[str, Any] | None) -> Iterator[Element]:
    if effect is None:
        yield element("p", "It was not measured.")
        return
    yield element("ul", *(element("li", line) for line in (*effect["lost_changes"], *effect["differences"])))
    if effect["swap"] is None:
        yield element("p", "Nothing had been built, or nothing was in force: nobody could be counted.")
        return
    perks = effect["swap"]["perks"]
    rows = [
        {
            "perk": perk["name"],
            "people": perk["total"],
            "people who move": perk["moved"],
            "waived before": perk["waived_before"],
            "waived after": perk["waived_after"],
        }
        for perk in perks
    ]
    yield _table(("perk", "people", "people who move", "waived before", "waived after"), rows)
    for perk in perks:
        yield element("h3", f"{perk['name']}, amounts in minor units of {perk['currency']}")
        yield _table(("old", "new", "count"), perk["matrix"])
        yield _table(("name", "more", "less", "other"), perk["by_rule"])


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Element:
    if not rows:
        return element("p", "None.")
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    body = [element("tr", *(element("td", _text(row.get(column))) for column in columns)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(line: str) -> Element:
    kind = {"+": "add", "-": "drop"}.get(line[:1], "same")
    return element("span", f"{line}\n", class_=kind)
