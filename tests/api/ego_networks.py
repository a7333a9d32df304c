"""A small ego network to draw: ann, her neighbours, their neighbours whose names she may not see, and payments."""

from sqlalchemy import Engine

from api.evidence import ledger
from tests.api.town import build_features
from tests.graph.story import enrol, moment, story

NOW, AS_OF = moment("2024-09-01"), moment("2024-06-01")
MARKUP_ID = "<script>alert('1')</script>&\""
LONG_ID = "a-person-with-an-id-that-is-far-too-long-for-a-label-0042"
DISTANT_PEOPLE = ("remote-one", "remote-two", "remote-three")
EGO_NETWORK = f"""
    {{0}} tie.formed ann > bob tie=household
    {{0}} tie.formed ann > {MARKUP_ID} tie=friend strength=2
    {{0}} tie.formed ann > 王小明 tie=family
    {{0}} tie.formed {LONG_ID} > ann tie=vouch strength=6
    {{0}} tie.formed bob > 王小明 tie=colleague
    {{0}} tie.formed bob > remote-one tie=friend
    {{0}} tie.formed bob > remote-two tie=friend
    {{0}} tie.formed remote-two > remote-three tie=friend
    {{0}} payment.made ann > shop amount=123450 currency=CNY
    {{0}} payment.made ann > shop amount=7 currency=JPY
    {{0}} payment.made bob > ann amount=100 currency=CNY
    {{0}} payment.made bob > hidden-shop amount=100 currency=CNY""".format("2024-01-01")
PEOPLE = ("ann", "bob", MARKUP_ID, LONG_ID, "王小明", *DISTANT_PEOPLE)


def build_story(database: Engine, text: str) -> Engine:
    """The story in the ledger, and a build of it."""
    result = ledger.append(database, story(text), NOW)
    assert result.refused.is_empty()
    build_features(database, AS_OF, "perks", NOW)
    return database


def build_ego_network(database: Engine) -> Engine:
    """The ego network of ann, and a person without ties."""
    return build_story(database, f"{enrol(*PEOPLE, 'alone')}\n{EGO_NETWORK}")
