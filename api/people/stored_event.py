"""An event as an erasure reads it: a row of the ledger."""

from dataclasses import dataclass

from graph.evidence.events import decode_fields

Key = tuple[str, str]  # contributor and event id


@dataclass(frozen=True)
class StoredEvent:
    """A row of `events`, with the columns and units of that table."""

    seq: int
    contributor: str
    event_id: str
    kind: str
    subject: str
    other: str | None
    happened_at: int
    recorded_at: int
    identity_level: int | None
    tie: str | None
    strength: int | None
    amount: int | None
    currency: str | None
    category: str | None
    channel: str | None
    obligation: str | None
    due: int | None
    order: str | None
    days_late: int | None
    purpose: str | None
    classes: str | None
    service: str | None
    until: int | None
    ref_contributor: str | None
    ref_event: str | None
    outcome: str | None
    statement: str | None
    fields: str | None
    data: str | None

    @property
    def key(self) -> Key:
        """The contributor and its id for the event."""
        return self.contributor, self.event_id

    @property
    def target(self) -> Key:
        """The key of the event that a correction, retraction or dispute is about. `ref_event` is never null there."""
        return self.ref_contributor or self.contributor, self.ref_event or ""

    @property
    def corrected_other(self) -> str | None:
        """The `other` that a correction sets; None for any other event."""
        other = self.corrected_fields.get("other")
        return None if other is None else str(other)

    @property
    def corrected_fields(self) -> dict[str, object]:
        """The fields that a correction sets; none for any other event."""
        return decode_fields(self.fields or "") if self.kind == "event.corrected" else {}
