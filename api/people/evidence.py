"""List a person's evidence: each stored event, its current content, and its content before each correction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, TypedDict

from sqlalchemy import Connection, select, union

from api.evidence import excerpt
from api.features.linked_ids import LinkedClasses
from api.store.clock import iso
from api.store.tables import CORRECTED_PARTIES, DISPUTES, EVENTS
from graph.evidence.declared_fields import displayed
from graph.evidence.invalidation import TIE_KINDS
from graph.evidence.versions import Version, retracted_at, versions
from graph.evidence.vocabulary import LINK_KIND, EventVocabulary, Kind

PAGE: Final = 100
Key = tuple[str, str]  # contributor and event id
LedgerRow = Mapping[str, Any]  # an event by the columns of `graph.evidence.events.SCHEMA`
# A version's content as the person may see it. `with` is the other party; None: there is none, or it is hidden.
ItemContent = TypedDict(
    "ItemContent",
    {"with": str | None, "happened_at": datetime, "recorded_at": datetime, "fields": dict[str, Any]},
)


class Item(ItemContent):
    """A stored event as the person may see it: its current content, and its history."""

    number: int  # `seq` of the event
    id: str  # the id of the person that the event names
    contributor: str
    event_id: str
    kind: str
    about: str  # what happened, in words
    data_class: str | None
    said_of_you_by_another: bool
    dispute: str | None  # open, upheld, rejected; None: never disputed
    history: list[ItemContent]  # earlier contents, oldest first
    corrected_at: datetime | None
    retracted_at: datetime | None  # or since a correction names another person


def list_evidence(
    connection: Connection,
    vocabulary: EventVocabulary,
    person: str,
    after: int = 0,
    limit: int | None = PAGE,
    linked: LinkedClasses = MappingProxyType({}),
    language: str = "en",
) -> list[Item]:
    """List the person's evidence, oldest first, after the event number `after`; of each id in `linked`, that of its classes.
    The words are in `language`.

    Of another party's statement about a tie to the person we show the kind and the contributor, but not the strength; of a
    vouch we also hide the person who vouched.
    """
    items = _items_of_id(connection, vocabulary, person, after, limit, language)
    for one, classes in linked.items():
        numbers = {item["number"] for item in items}
        kinds = [k.name for k in vocabulary.kinds if k.data_class in classes]
        more = _items_of_id(connection, vocabulary, one, after, limit, language, kinds)
        items += [item for item in more if item["number"] not in numbers]
    return sorted(items, key=lambda item: item["number"])[:limit]


def _items_of_id(
    connection: Connection,
    vocabulary: EventVocabulary,
    person: str,
    after: int,
    limit: int | None,
    language: str,
    kinds: Collection[str] | None = None,
) -> list[Item]:
    """The evidence that names an id, of these kinds (None: all)."""
    ends = [select(EVENTS.c.seq).where(EVENTS.c[end] == person) for end in ("subject", "other")]
    is_same_event = (EVENTS.c.contributor == CORRECTED_PARTIES.c.contributor) & (
        EVENTS.c.event_id == CORRECTED_PARTIES.c.event_id
    )
    by_correction = (
        select(EVENTS.c.seq)
        .select_from(CORRECTED_PARTIES.join(EVENTS, is_same_event))
        .where(CORRECTED_PARTIES.c.other == person)
    )
    numbers = union(*ends, by_correction).subquery()
    page = select(numbers.c.seq).where(numbers.c.seq > after).order_by(numbers.c.seq).limit(limit)
    if kinds is not None:
        page = page.where(numbers.c.seq.in_(select(EVENTS.c.seq).where(EVENTS.c.kind.in_(kinds))))
    own_disputes = select(DISPUTES.c.contributor, DISPUTES.c.event_id, DISPUTES.c.outcome).where(
        DISPUTES.c.subject == person
    )
    in_order = own_disputes.order_by(DISPUTES.c.opened_at)
    disputes = {(c, e): outcome or "open" for c, e, outcome in connection.execute(in_order)}
    return _items(connection, vocabulary, connection.execute(page).scalars(), person, disputes, language)


def find_item(
    connection: Connection,
    vocabulary: EventVocabulary,
    person: str,
    contributor: str,
    event_id: str,
    dispute: str,
    language: str = "en",
) -> Item | None:
    """One item as the person sees it, with the state of their dispute; None when the ledger no longer holds it."""
    query = select(EVENTS.c.seq).where(EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id)
    numbers = connection.execute(query).scalars()
    return next(
        iter(_items(connection, vocabulary, numbers, person, {(contributor, event_id): dispute}, language)), None
    )


def changed_since(
    connection: Connection, vocabulary: EventVocabulary, contributor: str, event_id: str, seq: int
) -> bool:
    """Whether the event's content differs from its content when the ledger recorded event `seq`."""
    query = select(EVENTS.c.seq).where(EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id)
    for event, references in _with_references(connection, connection.execute(query).scalars()):
        earlier = [word for word in references if word["seq"] <= seq]
        return versions(event, references, vocabulary)[-1].row != versions(event, earlier, vocabulary)[-1].row
    return False


def _items(
    connection: Connection,
    vocabulary: EventVocabulary,
    numbers: Iterable[int],
    person: str,
    disputes: Mapping[Key, str],
    language: str = "en",
) -> list[Item]:
    events = _with_references(connection, numbers)
    return [
        _item(row, references, person, disputes.get((row["contributor"], row["event_id"])), vocabulary, language)
        for row, references in events
    ]


def _with_references(connection: Connection, numbers: Iterable[int]) -> list[tuple[LedgerRow, list[LedgerRow]]]:
    """Each event with its references, and the references to those, in the order of recording."""
    events = excerpt.by_seq(connection, numbers)
    about = excerpt.references_to(connection, events)
    nested = excerpt.references_to(connection, about)
    by_event: defaultdict[str, list[LedgerRow]] = defaultdict(list)
    for word in (*about.iter_rows(named=True), *nested.iter_rows(named=True)):
        by_event[word["ref_event"]].append(word)
    result: list[tuple[LedgerRow, list[LedgerRow]]] = []
    for event in events.iter_rows(named=True):
        direct = by_event[event["event_id"]]
        by_seq = {w["seq"]: w for w in (*direct, *(b for w in direct for b in by_event[w["event_id"]]))}
        result.append((event, [by_seq[seq] for seq in sorted(by_seq)]))
    return result


def _item(
    event: LedgerRow,
    references: list[LedgerRow],
    person: str,
    dispute: str | None,
    vocabulary: EventVocabulary,
    language: str,
) -> Item:
    own_versions, ended_at = _own_versions(event, references, person, vocabulary)
    kind = vocabulary.kind(event["kind"])
    contents = [_content(v, person, kind, vocabulary) for v in own_versions]
    current = contents[-1]
    return {
        "number": event["seq"],
        "id": person,
        "contributor": event["contributor"],
        "event_id": event["event_id"],
        "kind": kind.name,
        "about": kind.words(language),
        "data_class": kind.data_class,
        "said_of_you_by_another": event["subject"] != person,
        "with": current["with"],
        "happened_at": current["happened_at"],
        "recorded_at": event["recorded_at"],
        "fields": current["fields"],
        "dispute": dispute,
        "history": contents[:-1],
        "corrected_at": own_versions[-1].recorded_at if len(own_versions) > 1 else None,
        "retracted_at": ended_at,
    }


def _own_versions(
    event: LedgerRow, references: list[LedgerRow], person: str, vocabulary: EventVocabulary
) -> tuple[list[Version], datetime | None]:
    """The versions that name the person, and when the last of them ended: by a retraction, or a correction to another person."""
    all_versions = versions(event, references, vocabulary)
    places = [place for place, v in enumerate(all_versions) if person in (v.row["subject"], v.row["other"])]
    if not places:  # a correction named the person, and was itself retracted
        withdrawn_at = max(w["recorded_at"] for w in references if w["kind"] == "event.retracted")
        all_versions = versions(event, [w for w in references if w["kind"] == "event.corrected"], vocabulary)
        return [v for v in all_versions if person in (v.row["subject"], v.row["other"])], withdrawn_at
    replaced_at = [v.recorded_at for v in all_versions[places[-1] + 1 :][:1]]
    ends = [at for at in (retracted_at(event, references), *replaced_at) if at is not None]
    return [all_versions[place] for place in places], min(ends, default=None)


def _content(version: Version, person: str, kind: Kind, vocabulary: EventVocabulary) -> ItemContent:
    """A version's content without the fields that the person may not see."""
    row = version.row
    own = row["subject"] == person
    hidden = {"other"} if own or kind.name not in TIE_KINDS else {"other", "strength"}
    fields = (f for f in kind.fields if f not in hidden and row.get(f) is not None)
    # `linked_ids` of the account names the other id once both consent to the link; a wrong link must not hand it over.
    hides_party = kind.name == LINK_KIND or (not own and row["tie"] == "vouch")
    party = None if hides_party else row["other"] if own else row["subject"]
    return {
        "with": party,
        "happened_at": row["happened_at"],
        "recorded_at": version.recorded_at or row["recorded_at"],
        "fields": {f: _field(f, row[f], vocabulary) for f in fields},
    }


def _field(name: str, value: Any, vocabulary: EventVocabulary) -> Any:
    """The value in the form in which the contributor sent it."""
    if name in vocabulary.extra_fields:
        return displayed(vocabulary.extra_fields[name], value)
    if isinstance(value, date) and name == "due":
        return value.isoformat()
    return iso(value) if name == "until" else value
