"""The picture of a person from the events around them equals the one from the whole ledger."""

from xml.etree import ElementTree

import pytest

from api.features import builds
from api.render import network_panels, picture
from api.render.network_words import WORDS
from api.runtime.context import AppContext
from tests.api.town import NOW


@pytest.mark.parametrize("hops", [1, 2])
def test_the_events_around_a_person_are_enough(town: AppContext, monkeypatch: pytest.MonkeyPatch, hops: int) -> None:
    build = builds.latest_build(town.database)
    assert build is not None
    people = builds.people_of(town.database, build)[::15]
    near = [picture.make_picture(town.database, town.vocabulary, p, hops, "person", NOW) for p in people]
    monkeypatch.setattr(picture, "MAX_NEAR_HOPS", 0)
    whole = [picture.make_picture(town.database, town.vocabulary, p, hops, "person", NOW) for p in people]
    assert near == whole
    assert sum(len(p.ego_network.ties.edges) for p in near) > len(people)


def test_the_drawings_of_a_page_have_no_style_and_are_in_the_readers_language(town: AppContext) -> None:
    build = builds.latest_build(town.database)
    assert build is not None
    person = max(
        builds.people_of(town.database, build)[:40],
        key=lambda p: len(
            picture.make_picture(town.database, town.vocabulary, p, 1, "person", NOW).ego_network.ties.edges
        ),
    )
    image = picture.make_picture(town.database, town.vocabulary, person, 2, "person", NOW)
    for language, hidden in (("en", "whose name"), ("zh", "姓名不可见")):
        for draw in (network_panels.ties_svg, network_panels.payments_svg):
            text = draw(image.ego_network, WORDS[language])
            root = ElementTree.fromstring(text)
            assert not list(root.iter("{http://www.w3.org/2000/svg}style"))
            assert "style=" not in text
        assert hidden in network_panels.ties_svg(image.ego_network, WORDS[language])
    assert " and " not in network_panels.ties_svg(image.ego_network, WORDS["zh"])
