"""Event queries: the statements by which excerpts are read, each built once. Parameters are named in the docstrings."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    union,
)

from api.evidence.selection import columns_of
from api.store.statements import Condition, any_row, integers, is_any_of, is_one_of, texts
from api.store.tables import CORRECTED_PARTIES, EVENTS, has_reference, is_link, is_tie
from graph.evidence.invalidation import PAYMENT_KIND

# The features look back at these for `graph.features.payments.WINDOW_MONTHS` months.
WINDOWED: Final = (PAYMENT_KIND, "account.balance")
ENDS: Final = ("subject", "other")


def event_columns(kinds: Collection[str] | None = None) -> tuple[str, ...]:
    """`seq` and the columns that events of these kinds can fill; None: of any kind."""
    return ("seq", *columns_of(kinds))


_WHOLE: Final = select(*(EVENTS.c[c] for c in event_columns())).order_by(EVENTS.c.seq)
SINCE: Final = _WHOLE.where(EVENTS.c.seq > bindparam("seq")).limit(bindparam("limit"))
AMONG: Final = _WHOLE.where(is_any_of(EVENTS.c.seq, integers("numbers")))
LAST_SEQ: Final = select(func.coalesce(func.max(EVENTS.c.seq), 0))
# In the order of the index on references, so that PostgreSQL reads that index and not the table.
ANY_CORRECTION: Final = (
    select(EVENTS.c.seq)
    .where(has_reference(EVENTS), EVENTS.c.kind == literal_column("'event.corrected'"))
    .order_by(EVENTS.c.ref_event)
    .limit(1)
)
# With a bound on the indexed column, so that either database goes to the first entry of the index on links.
ANY_LINK: Final = (
    select(EVENTS.c.seq)
    .where(is_link(EVENTS), EVENTS.c.subject >= literal_column("''"))
    .order_by(EVENTS.c.subject)
    .limit(1)
)
MOVED_TO: Final = (
    select(CORRECTED_PARTIES.c.contributor, CORRECTED_PARTIES.c.event_id)
    .where(is_any_of(CORRECTED_PARTIES.c.other, texts("people")))
    .distinct()
)


def _select_after() -> Select[Any]:
    """Events up to the `seq` `upto` that say something of a time after `after`."""
    after = bindparam("after", type_=BigInteger)
    late = or_(EVENTS.c.happened_at > after, EVENTS.c.until > after, EVENTS.c.fields.like("%happened_at%"))
    return _WHOLE.where(EVENTS.c.seq <= bindparam("upto"), late)


AFTER: Final = _select_after()


def has_other(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event names a second party."""
    return events.c.other.is_not(None)


def is_recent(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event of the kinds `WINDOWED` happened after `after`, or may have by a correction."""
    reference = EVENTS.alias("r")
    is_old = is_one_of(events.c.kind, WINDOWED) & (events.c.happened_at <= bindparam("after", type_=BigInteger))
    referred_to = exists().where(reference.c.ref_event == events.c.event_id, has_reference(reference))
    return or_(~is_old, referred_to)


def is_tie_among(events: FromClause) -> ColumnElement[bool]:
    """The condition that an event is a tie with one of `items`."""
    return is_any_of(events.c.other, texts("items")) & is_tie(events)


@lru_cache(16)
def of_people(kinds: tuple[str, ...] | None, condition: Condition = any_row) -> Select[Any]:
    """Events with one of `items` at either end, for SQLite: in one pass over the table in its order, which takes two thirds of
    the time of two passes.
    """
    event = EVENTS.alias("p")
    seqs = union(*(select(event.c.seq).where(is_any_of(event.c[end], texts("items"))) for end in ENDS))
    query = select(*(EVENTS.c[c] for c in event_columns(kinds)))
    return query.where(EVENTS.c.seq.in_(seqs), condition(EVENTS)).order_by(EVENTS.c.seq)


@lru_cache(2)
def sizes(dialect: str) -> Select[Any]:
    """Each of `people`, and in how many events the person is named, counting at each end up to `limit`."""
    if dialect == "sqlite":
        people = func.json_each(texts("people")).table_valued("value", name="k")
    else:
        people = func.unnest(texts("people")).table_valued("value").render_derived(name="k")

    def count(end: str) -> ColumnElement[int]:
        matching: Select[Any] = (
            select(literal_column("1").label("one")).where(EVENTS.c[end] == people.c.value).correlate(people)
        )
        limited = matching.limit(bindparam("limit")).subquery("n")
        return select(func.count()).select_from(limited).scalar_subquery()

    return select(people.c.value, count("subject") + count("other"))
