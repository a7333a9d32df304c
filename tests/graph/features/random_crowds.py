"""Generate random crowds: seven people of any identity level, with ties of every kind."""

from datetime import timedelta

import polars as pl
from hypothesis import strategies as st

from graph.evidence.vocabulary import CLASSES
from tests.strategies import NOW, frame

PEOPLE = tuple(f"p{number}" for number in range(7))
TIES = ("friend", "household", "vouch", "vouch")
HALF_A_YEAR_AGO = NOW.replace(year=2023, month=8)  # NOW is 29 February 2024
MOMENTS = (
    *(HALF_A_YEAR_AGO + timedelta(microseconds=u) for u in (-1, 0, 1)),
    *(NOW - timedelta(days=d) for d in (900, 30, 0)),
)


@st.composite
def tie_ledgers(draw: st.DrawFn, ties: int = 24) -> pl.DataFrame:
    """A ledger: everyone enrols and nearly everyone consents, then ties form and end."""
    rows = []
    for person in PEOPLE:
        level = draw(st.sampled_from((0, 1, 2, 2, 3)))
        rows.append({"kind": "person.enrolled", "subject": person, "identity_level": level})
        if draw(st.integers(0, 9)):
            rows.append(
                {"kind": "consent.granted", "subject": person, "purpose": "perks", "classes": ",".join(CLASSES)}
            )
    for event in rows:
        event["happened_at"] = NOW - timedelta(days=1000)
    rows += [draw(tie_events()) for _ in range(draw(st.integers(0, ties)))]
    numbered = ({"contributor": "bank", "event_id": f"e{n}", **event} for n, event in enumerate(rows))
    return frame([{**event, "recorded_at": event["happened_at"]} for event in numbered])


@st.composite
def tie_events(draw: st.DrawFn) -> dict[str, object]:
    """Mostly formed."""
    subject = draw(st.sampled_from(PEOPLE))
    event = {
        "contributor": draw(st.sampled_from(("bank", "bank", "club"))),
        "kind": draw(st.sampled_from(("tie.formed", "tie.formed", "tie.formed", "tie.formed", "tie.ended"))),
        "subject": subject,
        "other": draw(st.sampled_from([p for p in PEOPLE if p != subject])),
        "tie": draw(st.sampled_from(TIES)),
        "happened_at": draw(st.sampled_from(MOMENTS)),
    }
    if event["kind"] == "tie.formed":
        vouch = event["tie"] == "vouch"
        event["strength"] = draw(st.integers(-10, 10) if vouch else st.none() | st.integers(1, 10))
    return event
