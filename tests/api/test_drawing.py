"""Pictures of circles, parsed: nodes, edges, names, colours, what was left out, and what must not be there."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from sqlalchemy import Engine

from api.database import open_database
from api.evidence import ledger
from api.pictures import drawing, page, picture
from api.pictures.panels import COLOURS, GREY, colour, shortened
from engine.errors import Refused
from graph.features import features
from tests.api.circles import AS_OF, EVIL, LONG, NOW, settle, small_world
from tests.graph.story import story, willing

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The small world, to look at only."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('circle') / 'iftah.db'}")
    yield small_world(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """More ties and merchants than fit."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('crowd') / 'iftah.db'}")
    yield crowd(engine, 150, 130)
    engine.dispose()


def trust(engine: Engine, person: str = "ann") -> str:
    """What the build holds, in hundredths, as people write it."""
    values = features(ledger.read(engine), AS_OF, NOW, "perks", [person])
    return f"{values['relationships.trust'][0] / 100:.2f}"


def drawn(engine: Engine, person: str = "ann", viewer: str = "person", hops: int = 2) -> Element:
    made = picture.picture(engine, person, hops, viewer, NOW)  # type: ignore[arg-type]
    return ElementTree.fromstring(drawing.text(made))


def part(root: Element, name: str) -> Element:
    return next(g for g in root.iter(f"{SVG}g") if g.get("class") == name)


def titles(root: Element, name: str) -> list[str]:
    """What one reads on hovering over the parts of a group."""
    return [str(t.text) for t in part(root, name).iter(f"{SVG}title")]


def test_nodes_edges_and_names_are_what_the_person_may_see(small: Engine) -> None:
    root = drawn(small)
    assert titles(part(root, "ties"), "edges")[-4:] == [
        "ann and bob: household; strength 10",
        "ann and 王小明: family; strength 8",
        f"ann and {LONG}: vouch; strength 6",
        f"ann and {EVIL}: friend; strength 2",
    ]
    nameless = "somebody whose name is not yours to see"
    assert titles(part(root, "ties"), "nodes") == [
        f"ann, trust {trust(small)}",
        "bob",
        "王小明",
        LONG,
        EVIL,
        nameless,
        nameless,
    ]
    assert titles(part(root, "money"), "edges") == [
        "ann paid shop 1,234.50 CNY in 1; 7 JPY in 1",
        "bob paid ann 1.00 CNY in 1",
    ]


def test_payments_have_a_direction_and_ties_have_none(small: Engine) -> None:
    root = drawn(small)
    ends = {p.get("class"): p.get("marker-end") for p in part(part(root, "money"), "edges")}
    assert ends == {"payments out": "url(#out)", "payments in": "url(#in)"}
    assert all(line.get("marker-end") is None for line in part(part(root, "ties"), "edges"))
    widths = [float(line.get("stroke-width", 0)) for line in part(part(root, "ties"), "edges")]
    assert widths[-4:] == sorted(widths[-4:], reverse=True)  # in order of strength, as above


@pytest.mark.parametrize("writer", [drawing.text, page.text])
def test_whom_the_person_may_not_see_is_nowhere_in_the_file(small: Engine, writer: Callable[..., str]) -> None:
    text = writer(picture.picture(small, "ann", 3, "person", NOW))
    assert "remote-" not in text
    assert "hidden-shop" not in text
    assert "alone" not in text.replace("theirs alone to see", "")
    assert "remote-one" in writer(picture.picture(small, "ann", 3, "supervisor", NOW))


@pytest.mark.parametrize("writer", [drawing.text, page.text])
def test_an_id_is_text_never_markup_and_the_same_picture_is_the_same_file(
    small: Engine, writer: Callable[..., str]
) -> None:
    made = picture.picture(small, "ann", 2, "supervisor", NOW)
    text = writer(made)
    assert "<script" not in text
    assert "&lt;script&gt;alert" in text
    assert "王小明" in text
    assert text == writer(picture.picture(small, "ann", 2, "supervisor", NOW))
    assert not re.findall(r"(?:href|src|url)\b[=(](?!#)", text)  # nothing from elsewhere
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def test_trust_is_the_colour_and_the_legend_has_its_numbers(small: Engine) -> None:
    root = drawn(small, viewer="supervisor")
    circles = [next(g.iter(f"{SVG}circle")) for g in part(part(root, "ties"), "nodes")]
    said = titles(part(root, "ties"), "nodes")
    for shape, words in zip(circles, said, strict=True):
        assert shape.get("fill") == colour(round(100 * float(words.rpartition("trust ")[2])))
    legend = part(root, "legend")
    assert {r.get("fill") for r in legend.iter(f"{SVG}rect")} >= {*COLOURS, GREY}
    words = [t.text for t in legend.iter(f"{SVG}text")]
    assert words[1:7] == ["up to 0.49", "0.50 to 0.99", "1.00 to 1.49", "1.50 to 1.99", "2.00 or more", "no value"]


def test_colours_begin_where_the_legend_says() -> None:
    assert [colour(n) for n in (0, 49, 50, 99, 100, 149, 150, 199, 200, 99_999)] == [c for c in COLOURS for _ in "12"]
    assert colour(None) == GREY


def test_the_trust_of_others_is_not_in_the_persons_picture(small: Engine) -> None:
    fills = [c.get("fill") for c in part(part(drawn(small), "ties"), "nodes").iter(f"{SVG}circle")]
    assert fills[0] in COLOURS
    assert {*fills[1:]} == {GREY}


def test_a_reader_who_does_not_see_it_is_told_the_same(small: Engine) -> None:
    root = drawn(small)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert root.findtext(f"{SVG}title") == "The circle of ann"
    assert root.findtext(f"{SVG}desc") == (
        "As the person may see it, as of 2024-06-01, for perks. Only those who consent are shown. "
        "Ties: 6 people within 2 steps, 7 ties. Nothing left out. "
        "Money: 1 person, 1 merchant, 3 payments. Nothing left out."
    )
    rows = [
        tuple(cell.text for cell in row)
        for row in ElementTree.fromstring(page.text(picture.picture(small, "ann", 2, "person", NOW))[16:]).iter("tr")
    ]
    assert ("ann", "0", trust(small)) in rows
    assert ("2 whose names are not yours to see", "2 or more", "–") in rows
    assert ("ann", "bob", "household", "10") in rows
    assert ("3 between others", "–", "–", "–") in rows
    assert ("ann", "shop (merchant)", "1", "1,234.50 CNY") in rows


def test_an_isolated_person_is_a_picture_of_one_node_that_says_so(small: Engine) -> None:
    root = drawn(small, "alone")
    assert len(titles(part(root, "ties"), "nodes")) == len(titles(part(root, "money"), "nodes")) == 1
    told = [t.text for t in part(root, "headings").iter(f"{SVG}text") if t.get("class") == "told"]
    assert told == ["Nobody is tied with the person.", "Nobody was paid, nobody paid."]


def test_a_long_id_is_short_in_its_label_and_whole_on_hovering(small: Engine) -> None:
    ties = part(drawn(small), "ties")
    labels = [t.text for t in part(ties, "labels").iter(f"{SVG}text")]
    assert shortened(LONG) == "a-person-wi…l-0042"
    assert shortened(LONG) in labels
    assert LONG in titles(ties, "nodes")
    assert shortened("王" * 20) == "王王王王王…王王王"  # each as wide as two letters


def crowd(engine: Engine, ties: int, shops: int) -> Engine:
    people = [f"client-{n:03}" for n in range(ties)]
    lines = [f"2024-01-01 tie.formed ann > {p} tie=friend strength={1 + n % 9}" for n, p in enumerate(people)]
    lines += [f"2024-01-01 payment.made ann > merchant-{n:03} amount={n} currency=CNY" for n in range(shops)]
    return settle(engine, "\n".join((willing("ann", *people), *lines)))


def test_more_than_fit_are_told_of_in_the_picture(full: Engine) -> None:
    root = drawn(full)
    told = [t.text for t in part(root, "headings").iter(f"{SVG}text") if t.get("class") == "told"]
    assert told == [
        "99 people within 2 steps, 99 ties.",
        "Left out for want of room: 51 people, 51 ties.",
        "99 merchants, 99 payments.",
        "Left out for want of room: 31 merchants, 31 payments.",
    ]
    assert len(titles(part(root, "ties"), "nodes")) + len(titles(part(root, "money"), "nodes")) == 200


def test_labels_around_a_full_ring_keep_apart_and_all_is_on_the_paper(full: Engine) -> None:
    root = drawn(full)
    at = [
        tuple(map(float, re.findall(r"-?[\d.]+", str(t.get("transform")))[:2]))
        for t in part(part(root, "ties"), "labels").iter(f"{SVG}text")
        if t.get("transform")
    ]
    assert len(at) == 99
    assert min(math.dist(a, b) for a, b in combinations(at, 2)) >= 14  # a line of text is 11 high
    _, _, width, height = map(float, str(root.get("viewBox")).split())
    for name in ("ties", "money"):
        x, y = map(float, re.findall(r"-?[\d.]+", str(part(root, name).get("transform"))))
        for disc in part(part(root, name), "nodes").iter(f"{SVG}circle"):
            assert 0 < x + float(str(disc.get("cx"))) < width
            assert 0 < y + float(str(disc.get("cy"))) < height


def test_who_withdrew_after_the_build_is_gone_at_once(engine: Engine) -> None:
    assert "bob" in ElementTree.tostring(drawn(small_world(engine)), encoding="unicode")
    ledger.append(engine, story("2024-08-01 consent.withdrawn bob #gone purpose=perks"), NOW)
    root = drawn(engine, viewer="supervisor")
    assert "bob" not in ElementTree.tostring(root, encoding="unicode")
    with pytest.raises(Refused, match="unknown person, or no consent"):
        picture.picture(engine, "bob", 2, "person", NOW)


@pytest.mark.parametrize("person", ["nobody", "shop", "", "a\0b"])
def test_nobody_of_that_id_is_refused(engine: Engine, person: str) -> None:
    small_world(engine)
    with pytest.raises(Refused) as told:
        picture.picture(engine, person, 2, "person", NOW)
    assert told.value.code == "unknown_person"


def test_without_a_build_there_is_no_picture(engine: Engine) -> None:
    with pytest.raises(Refused, match="no features have been built yet"):
        picture.picture(engine, "ann", 2, "person", NOW)
