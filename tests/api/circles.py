"""A small circle to draw: ann, her people, theirs whose names she may not see, and what was paid."""

from sqlalchemy import Engine

from api.evidence import ledger
from api.features import builds
from tests.graph.story import moment, story, willing

NOW, AS_OF = moment("2024-09-01"), moment("2024-06-01")
EVIL = "<script>alert('1')</script>&\""
LONG = "a-person-with-an-id-that-is-far-too-long-for-a-label-0042"
FAR = ("remote-one", "remote-two", "remote-three")
CIRCLE = f"""
    {{0}} tie.formed ann > bob tie=household
    {{0}} tie.formed ann > {EVIL} tie=friend strength=2
    {{0}} tie.formed ann > 王小明 tie=family
    {{0}} tie.formed {LONG} > ann tie=vouch strength=6
    {{0}} tie.formed bob > 王小明 tie=colleague
    {{0}} tie.formed bob > remote-one tie=friend
    {{0}} tie.formed bob > remote-two tie=friend
    {{0}} tie.formed remote-two > remote-three tie=friend
    {{0}} payment.made ann > shop amount=123450 currency=CNY
    {{0}} payment.made ann > shop amount=7 currency=JPY
    {{0}} payment.made bob > ann amount=100 currency=CNY
    {{0}} payment.made bob > hidden-shop amount=100 currency=CNY""".format("2024-01-01")
PEOPLE = ("ann", "bob", EVIL, LONG, "王小明", *FAR)


def settle(engine: Engine, text: str) -> Engine:
    """The story in the ledger, and a build of it."""
    told = ledger.append(engine, story(text), NOW)
    assert told.refused.is_empty()
    builds.build(engine, AS_OF, "perks", NOW)
    return engine


def small_world(engine: Engine) -> Engine:
    """Ann's circle, and one who is alone."""
    return settle(engine, f"{willing(*PEOPLE, 'alone')}\n{CIRCLE}")
