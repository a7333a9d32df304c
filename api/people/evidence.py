"""A person's evidence: what is stored of them, what it says now, and what it said before it was corrected."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, select, union

from api.clock import iso
from api.evidence import excerpt
from api.tables import DISPUTES, EVENTS, MOVES
from graph.touched import TIES
from graph.versions import Version, retracted, versions
from graph.vocabulary import KIND

PAGE: Final = 100
Row = dict[str, Any]
Key = tuple[str, str]


def evidence(connection: Connection, person: str, after: int = 0, most: int | None = PAGE) -> list[Row]:
    """What is stored of the person, oldest first, from after a number on: who told it, what it says, whether it is disputed.

    Of what others said about their tie to the person, the kind and who passed it on; of a vouch not who gave it.
    """
    ends = [select(EVENTS.c.seq).where(EVENTS.c[end] == person) for end in ("subject", "other")]
    there = (EVENTS.c.contributor == MOVES.c.contributor) & (EVENTS.c.event_id == MOVES.c.event_id)
    moved = select(EVENTS.c.seq).select_from(MOVES.join(EVENTS, there)).where(MOVES.c.other == person)
    numbers = union(*ends, moved).subquery()
    page = select(numbers.c.seq).where(numbers.c.seq > after).order_by(numbers.c.seq).limit(most)
    about = select(DISPUTES.c.contributor, DISPUTES.c.event_id, DISPUTES.c.outcome).where(DISPUTES.c.subject == person)
    in_turn = about.order_by(DISPUTES.c.opened_at)
    disputes = {(c, e): outcome or "open" for c, e, outcome in connection.execute(in_turn)}
    return _items(connection, connection.execute(page).scalars(), person, disputes)


def item(connection: Connection, person: str, contributor: str, event_id: str, dispute: str) -> Row | None:
    """One piece of it, as the person sees it, with what became of their objection; None when it is stored no more."""
    query = select(EVENTS.c.seq).where(EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id)
    numbers = connection.execute(query).scalars()
    return next(iter(_items(connection, numbers, person, {(contributor, event_id): dispute})), None)


def changed_since(connection: Connection, contributor: str, event_id: str, seq: int) -> bool:
    """Whether an event says anything else than it did when the ledger's event `seq` was recorded."""
    query = select(EVENTS.c.seq).where(EVENTS.c.contributor == contributor, EVENTS.c.event_id == event_id)
    for event, said in _with_words(connection, connection.execute(query).scalars()):
        then = [word for word in said if word["seq"] <= seq]
        return versions(event, said)[-1].row != versions(event, then)[-1].row
    return False


def _items(connection: Connection, numbers: Iterable[int], person: str, disputes: Mapping[Key, str]) -> list[Row]:
    found = _with_words(connection, numbers)
    return [_item(row, said, person, disputes.get((row["contributor"], row["event_id"]))) for row, said in found]


def _with_words(connection: Connection, numbers: Iterable[int]) -> list[tuple[Row, list[Row]]]:
    """Each event, with what refers to it and to that, in the order of recording."""
    events = excerpt.numbered(connection, numbers)
    about = excerpt.about(connection, events)
    behind = excerpt.about(connection, about)
    words: defaultdict[str, list[Row]] = defaultdict(list)
    for word in (*about.iter_rows(named=True), *behind.iter_rows(named=True)):
        words[word["ref_event"]].append(word)
    found = []
    for event in events.iter_rows(named=True):
        own = words[event["event_id"]]
        said = {w["seq"]: w for w in (*own, *(b for w in own for b in words[w["event_id"]]))}
        found.append((event, [said[seq] for seq in sorted(said)]))
    return found


def _item(event: Row, said: list[Row], person: str, dispute: str | None) -> Row:
    theirs, ended_at = _theirs(event, said, person)
    kind, shown = KIND[event["kind"]], [_content(v, person) for v in theirs]
    return {
        **{"number": event["seq"], "contributor": event["contributor"], "event_id": event["event_id"]},
        **{"kind": kind.name, "data_class": kind.data_class, "said_of_you_by_another": event["subject"] != person},
        **shown[-1],
        **{"recorded_at": event["recorded_at"], "dispute": dispute, "history": shown[:-1]},
        **{"corrected_at": theirs[-1].recorded_at if len(theirs) > 1 else None, "retracted_at": ended_at},
    }


def _theirs(event: Row, said: list[Row], person: str) -> tuple[list[Version], datetime | None]:
    """The versions that name the person, and since when none does: it was taken back, or corrected to name somebody else."""
    every = versions(event, said)
    named = [place for place, v in enumerate(every) if person in (v.row["subject"], v.row["other"])]
    if not named:  # a correction named the person, and was itself taken back
        back = max(w["recorded_at"] for w in said if w["kind"] == "event.retracted")
        every = versions(event, [w for w in said if w["kind"] == "event.corrected"])
        return [v for v in every if person in (v.row["subject"], v.row["other"])], back
    later = [v.recorded_at for v in every[named[-1] + 1 :][:1]]
    ends = [at for at in (retracted(event, said), *later) if at is not None]
    return [every[place] for place in named], min(ends, default=None)


def _content(version: Version, person: str) -> Row:
    """What a version says, as far as the person may know it."""
    row, kind = version.row, KIND[version.row["kind"]]
    own = row["subject"] == person
    hidden = {"other"} if own or kind.name not in TIES else {"other", "strength"}
    fields = (f for f in (*kind.needs, *kind.may) if f not in hidden and row[f] is not None)
    party = row["other"] if own else None if row["tie"] == "vouch" else row["subject"]
    return {
        **{"with": party, "happened_at": row["happened_at"], "recorded_at": version.recorded_at},
        "fields": {f: _field(f, row[f]) for f in fields},
    }


def _field(name: str, value: Any) -> Any:
    """As the contributor sent it."""
    if isinstance(value, date) and name == "due":
        return value.isoformat()
    return iso(value) if name == "until" else value
