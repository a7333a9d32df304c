"""Random crowds: seven people of any identity level, tied to each other in every way there is."""

from datetime import timedelta

import polars as pl
from hypothesis import strategies as st

from graph.vocabulary import CLASSES
from tests.strategies import NOW, frame

CROWD = tuple(f"p{number}" for number in range(7))
TIES = ("friend", "household", "vouch", "vouch")
HALF_A_YEAR_AGO = NOW.replace(year=2023, month=8)  # NOW is 29 February 2024
MOMENTS = (
    *(HALF_A_YEAR_AGO + timedelta(microseconds=u) for u in (-1, 0, 1)),
    *(NOW - timedelta(days=d) for d in (900, 30, 0)),
)


@st.composite
def crowds(draw: st.DrawFn, ties: int = 24) -> pl.DataFrame:
    """A ledger: everyone enrols and nearly everyone consents, then ties form and end."""
    made = []
    for person in CROWD:
        level = draw(st.sampled_from((0, 1, 2, 2, 3)))
        made.append({"kind": "person.enrolled", "subject": person, "identity_level": level})
        if draw(st.integers(0, 9)):
            made.append(
                {"kind": "consent.granted", "subject": person, "purpose": "perks", "classes": ",".join(CLASSES)}
            )
    for event in made:
        event["happened_at"] = NOW - timedelta(days=1000)
    made += [draw(tie_events()) for _ in range(draw(st.integers(0, ties)))]
    numbered = ({"contributor": "bank", "event_id": f"e{n}", **event} for n, event in enumerate(made))
    return frame([{**event, "recorded_at": event["happened_at"]} for event in numbered])


@st.composite
def tie_events(draw: st.DrawFn) -> dict[str, object]:
    """Mostly formed."""
    subject = draw(st.sampled_from(CROWD))
    event = {
        "contributor": draw(st.sampled_from(("bank", "bank", "club"))),
        "kind": draw(st.sampled_from(("tie.formed", "tie.formed", "tie.formed", "tie.formed", "tie.ended"))),
        "subject": subject,
        "other": draw(st.sampled_from([p for p in CROWD if p != subject])),
        "tie": draw(st.sampled_from(TIES)),
        "happened_at": draw(st.sampled_from(MOMENTS)),
    }
    if event["kind"] == "tie.formed":
        vouch = event["tie"] == "vouch"
        event["strength"] = draw(st.integers(-10, 10) if vouch else st.none() | st.integers(1, 10))
    return event
