"""The fields of a stored event as its person sees them: those of its kind, without the other party."""

from typing_extensions import TypedDict

from api.http.fields import DayText, DisputeOutcome, MomentText, Money


class EventFields(TypedDict, total=False):
    """The fields of an event, in the form in which its contributor sent them. docs/events.md describes each; fields that
    evidence.yaml declares stand beside them.
    """

    identity_level: int
    tie: str
    strength: int
    amount: Money
    currency: str
    category: str
    channel: str
    obligation: str
    due: DayText
    order: str
    days_late: int
    purpose: str
    classes: str
    service: str
    until: MomentText
    ref_contributor: str
    ref_event: str
    outcome: DisputeOutcome
    statement: str
    fields: str
