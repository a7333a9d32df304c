"""Parsed pictures of ego networks: nodes, edges, names, colours, omissions, and forbidden content."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from sqlalchemy import Engine

from api.evidence import ledger
from api.render import drawing, page, picture
from api.render.panels import COLOURS, GREY, colour, shorten
from api.store.database import open_database
from engine.errors import Rejected
from graph.evidence.vocabulary import STANDARD
from tests.api.ego_networks import AS_OF, LONG_ID, MARKUP_ID, NOW, build_ego_network, build_story
from tests.graph.story import enrol, story
from tests.shipped_features import features

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def network_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The small network, read-only."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('circle') / 'iftah.db'}")
    yield build_ego_network(database)
    database.dispose()


@pytest.fixture(scope="module")
def crowded_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A network with too many ties and merchants for the picture."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('crowd') / 'iftah.db'}")
    yield build_crowd(database, 150, 130)
    database.dispose()


def trust_label(database: Engine, person: str = "ann") -> str:
    """The build's trust in hundredths, as a decimal number."""
    values = features(ledger.read(database), AS_OF, NOW, "perks", [person])
    return f"{values['relationships.trust'][0] / 100:.2f}"


def draw(database: Engine, person: str = "ann", viewer: str = "person", hops: int = 2) -> Element:
    image = picture.make_picture(database, STANDARD, person, hops, viewer, NOW)  # type: ignore[arg-type]
    return ElementTree.fromstring(drawing.svg_text(image))


def part(root: Element, name: str) -> Element:
    return next(g for g in root.iter(f"{SVG}g") if g.get("class") == name)


def titles(root: Element, name: str) -> list[str]:
    """The tooltips of the parts of a group."""
    return [str(t.text) for t in part(root, name).iter(f"{SVG}title")]


def test_nodes_edges_and_names_are_those_visible_to_the_person(network_database: Engine) -> None:
    root = draw(network_database)
    assert titles(part(root, "ties"), "edges")[-4:] == [
        "ann and bob: household; strength 10",
        "ann and 王小明: family; strength 8",
        f"ann and {LONG_ID}: vouch; strength 6",
        f"ann and {MARKUP_ID}: friend; strength 2",
    ]
    nameless = "a person whose name you may not see"
    assert titles(part(root, "ties"), "nodes") == [
        f"ann, trust {trust_label(network_database)}",
        "bob",
        "王小明",
        LONG_ID,
        MARKUP_ID,
        nameless,
        nameless,
    ]
    assert titles(part(root, "money"), "edges") == [
        "ann paid shop 1,234.50 CNY in 1; 7 JPY in 1",
        "bob paid ann 1.00 CNY in 1",
    ]


def test_payments_have_a_direction_and_ties_have_none(network_database: Engine) -> None:
    root = draw(network_database)
    ends = {p.get("class"): p.get("marker-end") for p in part(part(root, "money"), "edges")}
    assert ends == {"payments out": "url(#out)", "payments in": "url(#in)"}
    assert all(line.get("marker-end") is None for line in part(part(root, "ties"), "edges"))
    widths = [float(line.get("stroke-width", 0)) for line in part(part(root, "ties"), "edges")]
    assert widths[-4:] == sorted(widths[-4:], reverse=True)  # in order of strength, as above


@pytest.mark.parametrize("writer", [drawing.svg_text, page.html_text])
def test_hidden_people_are_not_in_the_file(network_database: Engine, writer: Callable[..., str]) -> None:
    text = writer(picture.make_picture(network_database, STANDARD, "ann", 3, "person", NOW))
    assert "remote-" not in text
    assert "hidden-shop" not in text
    assert "alone" not in text
    assert "remote-one" in writer(picture.make_picture(network_database, STANDARD, "ann", 3, "supervisor", NOW))


@pytest.mark.parametrize("writer", [drawing.svg_text, page.html_text])
def test_ids_are_escaped_and_equal_pictures_give_equal_files(
    network_database: Engine, writer: Callable[..., str]
) -> None:
    image = picture.make_picture(network_database, STANDARD, "ann", 2, "supervisor", NOW)
    text = writer(image)
    assert "<script" not in text
    assert "&lt;script&gt;alert" in text
    assert "王小明" in text
    assert text == writer(picture.make_picture(network_database, STANDARD, "ann", 2, "supervisor", NOW))
    assert not re.findall(r"(?:href|src|url)\b[=(](?!#)", text)  # no external resources
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def test_colours_show_trust_and_the_legend_has_its_numbers(network_database: Engine) -> None:
    root = draw(network_database, viewer="supervisor")
    circles = [next(g.iter(f"{SVG}circle")) for g in part(part(root, "ties"), "nodes")]
    labels = titles(part(root, "ties"), "nodes")
    for shape, words in zip(circles, labels, strict=True):
        assert shape.get("fill") == colour(round(100 * float(words.rpartition("trust ")[2])))
    legend = part(root, "legend")
    assert {r.get("fill") for r in legend.iter(f"{SVG}rect")} >= {*COLOURS, GREY}
    words = [t.text for t in legend.iter(f"{SVG}text")]
    assert words[1:7] == ["up to 0.49", "0.50 to 0.99", "1.00 to 1.49", "1.50 to 1.99", "2.00 or more", "no value"]


def test_colours_begin_at_the_bounds_of_the_legend() -> None:
    assert [colour(n) for n in (0, 49, 50, 99, 100, 149, 150, 199, 200, 99_999)] == [c for c in COLOURS for _ in "12"]
    assert colour(None) == GREY


def test_the_trust_of_others_is_not_in_the_persons_picture(network_database: Engine) -> None:
    fills = [c.get("fill") for c in part(part(draw(network_database), "ties"), "nodes").iter(f"{SVG}circle")]
    assert fills[0] in COLOURS
    assert {*fills[1:]} == {GREY}


def test_the_picture_has_a_text_alternative(network_database: Engine) -> None:
    root = draw(network_database)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert root.findtext(f"{SVG}title") == "The network of ann"
    assert root.findtext(f"{SVG}desc") == (
        "As the person may see it, as of 2024-06-01, for perks. It shows only people who consent. "
        "Ties: 6 people within 2 steps, 7 ties. Nothing omitted. "
        "Money: 1 person, 1 merchant, 3 payments. Nothing omitted."
    )
    rows = [
        tuple(cell.text for cell in row)
        for row in ElementTree.fromstring(
            page.html_text(picture.make_picture(network_database, STANDARD, "ann", 2, "person", NOW))[16:]
        ).iter("tr")
    ]
    assert ("ann", "0", trust_label(network_database)) in rows
    assert ("2 whose names you may not see", "2 or more", "–") in rows
    assert ("ann", "bob", "household", "10") in rows
    assert ("3 between other people", "–", "–", "–") in rows
    assert ("ann", "shop (merchant)", "1", "1,234.50 CNY") in rows


def test_an_isolated_person_gives_one_node_and_a_note(network_database: Engine) -> None:
    root = draw(network_database, "alone")
    assert len(titles(part(root, "ties"), "nodes")) == len(titles(part(root, "money"), "nodes")) == 1
    notes = [t.text for t in part(root, "headings").iter(f"{SVG}text") if t.get("class") == "told"]
    assert notes == ["The person has no ties.", "The person has no payments."]


def test_a_long_id_is_cut_in_its_label_and_complete_in_its_tooltip(network_database: Engine) -> None:
    ties = part(draw(network_database), "ties")
    labels = [t.text for t in part(ties, "labels").iter(f"{SVG}text")]
    assert shorten(LONG_ID) == "a-person-wi…l-0042"
    assert shorten(LONG_ID) in labels
    assert LONG_ID in titles(ties, "nodes")
    assert shorten("王" * 20) == "王王王王王…王王王"  # each as wide as two letters


def build_crowd(database: Engine, ties: int, shops: int) -> Engine:
    people = [f"client-{n:03}" for n in range(ties)]
    lines = [f"2024-01-01 tie.formed ann > {p} tie=friend strength={1 + n % 9}" for n, p in enumerate(people)]
    lines += [f"2024-01-01 payment.made ann > merchant-{n:03} amount={n} currency=CNY" for n in range(shops)]
    return build_story(database, "\n".join((enrol("ann", *people), *lines)))


def test_the_picture_states_the_number_of_omitted_nodes(crowded_database: Engine) -> None:
    root = draw(crowded_database)
    notes = [t.text for t in part(root, "headings").iter(f"{SVG}text") if t.get("class") == "told"]
    assert notes == [
        "99 people within 2 steps, 99 ties.",
        "Omitted for lack of space: 51 people, 51 ties.",
        "99 merchants, 99 payments.",
        "Omitted for lack of space: 31 merchants, 31 payments.",
    ]
    assert len(titles(part(root, "ties"), "nodes")) + len(titles(part(root, "money"), "nodes")) == 200


def test_labels_around_a_full_ring_do_not_overlap_and_stay_on_the_page(crowded_database: Engine) -> None:
    root = draw(crowded_database)
    positions = [
        tuple(map(float, re.findall(r"-?[\d.]+", str(t.get("transform")))[:2]))
        for t in part(part(root, "ties"), "labels").iter(f"{SVG}text")
        if t.get("transform")
    ]
    assert len(positions) == 99
    assert min(math.dist(a, b) for a, b in combinations(positions, 2)) >= 14  # a line of text is 11 high
    _, _, width, height = map(float, str(root.get("viewBox")).split())
    for name in ("ties", "money"):
        x, y = map(float, re.findall(r"-?[\d.]+", str(part(root, name).get("transform"))))
        for disc in part(part(root, name), "nodes").iter(f"{SVG}circle"):
            assert 0 < x + float(str(disc.get("cx"))) < width
            assert 0 < y + float(str(disc.get("cy"))) < height


def test_a_person_who_withdrew_after_the_build_is_left_out(database: Engine) -> None:
    assert "bob" in ElementTree.tostring(draw(build_ego_network(database)), encoding="unicode")
    ledger.append(database, story("2024-08-01 consent.withdrawn bob #gone purpose=perks"), NOW)
    root = draw(database, viewer="supervisor")
    assert "bob" not in ElementTree.tostring(root, encoding="unicode")
    with pytest.raises(Rejected, match="unknown person, or no consent"):
        picture.make_picture(database, STANDARD, "bob", 2, "person", NOW)


@pytest.mark.parametrize("person", ["nobody", "shop", "", "a\0b"])
def test_an_unknown_person_is_rejected(database: Engine, person: str) -> None:
    build_ego_network(database)
    with pytest.raises(Rejected) as error:
        picture.make_picture(database, STANDARD, person, 2, "person", NOW)
    assert error.value.code == "unknown_person"


def test_without_a_build_there_is_no_picture(database: Engine) -> None:
    with pytest.raises(Rejected, match="no features have been built yet"):
        picture.make_picture(database, STANDARD, "ann", 2, "person", NOW)
