"""Compute features as columns, for all people at once or for a few: on Polars, DuckDB and the other engines of Narwhals.

Definitions with the same kinds, side and window share one pass over the events, however many they are; so do those with some
kinds in common. Within a pass, definitions with the same condition and field share the parts of their computation.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Final

import narwhals as nw
import polars as pl

from graph.features.declared.conversion import with_conversions
from graph.features.declared.data_fields import with_data_fields
from graph.features.declared.definition import KIND, SUMS, FeatureDefinition, in_order
from graph.features.declared.few_rows import features_of_few
from graph.features.declared.formulas import formula_columns
from graph.features.declared.neighbours import neighbour_columns
from graph.features.declared.net_values import net_values, with_net_values
from graph.features.declared.numbering import NumberedDefinition, in_one_currency, with_currency_texts
from graph.features.declared.quotients import Quotient, with_quotients
from graph.features.declared.recipes import recipe
from graph.features.declared.rows import Moment, Selection, event_rows, selection_of, tie_rows
from graph.features.declared.sequences import MAX_MONTHLY, SEQUENCES
from graph.features.integer_math import Frame, integer
from graph.network.build import ties_in_force

TIMES: Final = {"months_with": "month", "monthly_share": "month", "monthly_steadiness": "month"}
FEW_ROWS: Final = 1_000  # up to these, computing row by row takes less time than building the expressions
SLICE_PEOPLE: Final = 350_000  # we compute so many people at a time, which bounds the memory
Settle = Callable[[Frame, Collection[str] | None], tuple[Frame, frozenset[str]]]


def as_it_is(frame: Frame, _: Collection[str] | None = ()) -> tuple[Frame, frozenset[str]]:
    """Leave the frame to the engine's own plan: we know nothing about its values."""
    return frame, frozenset()


def by_person(frame: Frame, fields: Collection[str] | None = ()) -> tuple[Frame, frozenset[str]]:
    """Compute the frame now, and sort it by `person`: Polars groups sorted rows several times as fast, one batch at a time.

    Also return those of `fields` whose sums are small: no sum of a person's values reaches the limit of a month's. None:
    the frame has one row a person, which we leave in any order.
    """
    computed: pl.DataFrame = frame.to_native().collect(engine="streaming")
    table = computed if fields is None else computed.sort("person")
    if not fields or table.is_empty():
        return nw.from_native(table.lazy()), frozenset()
    rows = pl.col("person").rle().struct.field("len").max()
    largest = table.select(pl.col(f).cast(pl.Float64).abs().max().fill_null(0) * rows for f in sorted(fields))
    return nw.from_native(table.lazy()), frozenset(f for f in fields if largest[f].item() < MAX_MONTHLY)


def declared_features(
    view: pl.DataFrame,
    consents: pl.DataFrame,
    definitions: Sequence[FeatureDefinition],
    as_of: datetime,
    people: Collection[str] | None = None,
    ties: pl.DataFrame | None = None,
    zone: tzinfo = UTC,
    of_slice: nw.Expr | None = None,
) -> pl.DataFrame:
    """Return `person` and the features that are not internal, in the order of `definitions`: one row for each person enrolled in
    the view (or in `people`), sorted by `person`.

    `view` and `consents` are those of `visible_with_consents`. Values are Int64: decimals scaled by their digits, dates as days
    since 1970-01-01, null if missing. Pass `ties` (those in force) if you have them already. With `of_slice`,
    a condition on `person`, we compute only these people; then all features must be local.
    """
    rows = net_values(with_data_fields(view, definitions), definitions)
    if people is not None and view.height <= FEW_ROWS and all(d.is_local for d in definitions):
        return features_of_few(rows, consents, definitions, as_of, people, ties, zone)
    frames = [nw.from_native(f.lazy()) for f in (rows, consents)]
    live = None if ties is None else nw.from_native(ties.lazy())
    slices = (
        [of_slice]
        if of_slice is not None
        else _slices(view)
        if people is None and all(d.is_local for d in definitions)
        else [None]
    )
    tables = []
    for one in slices:
        table = declared_columns(frames[0], frames[1], definitions, as_of, people, live, zone, by_person, one)
        tables.append(with_names(table.to_native().collect(engine="in-memory"), definitions))
    return pl.concat(tables)


def _slices(view: pl.DataFrame) -> list[nw.Expr | None]:
    """A condition on `person` for each slice of the people enrolled, in order; None for all people if they are few."""
    enrolled = view.lazy().filter(pl.col("kind") == "person.enrolled").select(pl.col("subject").unique().sort())
    cuts = list(enrolled.collect()["subject"].gather_every(SLICE_PEOPLE, offset=SLICE_PEOPLE))
    person = nw.col("person")
    starts, ends = [None, *(person >= cut for cut in cuts)], [*(person < cut for cut in cuts), None]
    pairs = zip(starts, ends, strict=True)
    return [end if start is None else start if end is None else start & end for start, end in pairs]


def with_names(table: pl.DataFrame, definitions: Sequence[FeatureDefinition]) -> pl.DataFrame:
    """Replace the columns of `declared_columns` by the names of the features that are not internal, and sort by `person`."""
    named_columns = [pl.col(f"f{n}").alias(d.name) for n, d in enumerate(definitions) if not d.is_internal]
    return table.select("person", *named_columns).sort("person")


def declared_columns(
    events: Frame,
    consents: Frame,
    definitions: Sequence[FeatureDefinition],
    as_of: datetime,
    people: Collection[str] | None = None,
    ties: Frame | None = None,
    zone: tzinfo = UTC,
    settle: Settle = as_it_is,
    of_slice: nw.Expr | None = None,
) -> Frame:
    """Build the features as one lazy frame: `person`, and `fN` for definition N; rows in no order.

    With `people`, we read only the events that involve them, unless a feature of their neighbours needs the others. `settle`
    may compute the rows of a pass, and their groups, before the next pass. With `of_slice`, a
    condition on `person`, we compute only these people; then all features must be local.
    """
    numberings = [NumberedDefinition(d, n) for n, d in enumerate(definitions)]
    moment = Moment(as_of, zone)
    events = with_net_values(events, definitions)
    enrolled, _ = settle(_enrolled(events), ())
    own, table = events, enrolled
    needs_neighbours = not all(d.is_local for d in definitions)
    if people is not None and not needs_neighbours:
        ids = sorted(people)
        own = events.filter(nw.col("subject").is_in(ids) | nw.col("other").is_in(ids))
        table = enrolled.filter(nw.col("person").is_in(ids))
        consents = consents.filter(nw.col("person").is_in(ids))
    table = _of(table, of_slice)
    passes = _passes([n for n in numberings if n.definition.source in ("events", "ties")])
    needs_ties = needs_neighbours or any(s.source == "ties" for s, _ in passes)
    live = ties_in_force(own) if ties is None and needs_ties else ties
    for selection, members in passes:
        rows = _rows(own, live, enrolled, selection, members, moment)
        for part in _settled_parts(_of(rows, of_slice), members, moment, settle):
            table = table.join(part, on="person", how="left")
    finished = _finish(_with_consents(table, consents, numberings), numberings)
    complete = _with_derived(finished, live, numberings, moment)
    return complete if people is None else complete.filter(nw.col("person").is_in(sorted(people)))


def _of(rows: Frame, of_slice: nw.Expr | None) -> Frame:
    return rows if of_slice is None else rows.filter(of_slice)


def _settled_parts(rows: Frame, members: Sequence[NumberedDefinition], moment: Moment, settle: Settle) -> list[Frame]:
    """The parts of a pass, which `settle` has computed."""
    fields = {v.converted_column for n in members if (v := n.definition.value) and n.definition.measure in SUMS}
    settled, small = settle(rows, fields)
    parts = _measures(settled, [replace(n, small_sums=small) for n in members], moment)
    return [settle(part, None)[0] for part in parts]


def _enrolled(events: Frame) -> Frame:
    enrolled = events.filter(nw.col("kind") == "person.enrolled", nw.col("for_subject"))
    return enrolled.select(person="subject").unique()


def _passes(numberings: Iterable[NumberedDefinition]) -> list[tuple[Selection, list[NumberedDefinition]]]:
    """The passes, each with its definitions. Kinds that one definition reads together are in one pass."""
    passes: list[tuple[Selection, frozenset[str], list[NumberedDefinition]]] = []
    for n in numberings:
        selection, kinds, members = selection_of(n.definition), frozenset(n.definition.kinds), [n]
        for earlier in [p for p in passes if p[0] == selection and (p[1] & kinds or p[1] == kinds)]:
            passes.remove(earlier)
            kinds, members = kinds | earlier[1], earlier[2] + members
        passes.append((selection, kinds, members))
    return [(s, [replace(n, pass_kinds=kinds) for n in members]) for s, kinds, members in passes]


def _rows(
    events: Frame,
    live: Frame | None,
    enrolled: Frame,
    selection: Selection,
    members: Sequence[NumberedDefinition],
    moment: Moment,
) -> Frame:
    names = {name for n in members for name in n.definition.reads}
    names |= {TIMES[n.definition.measure] for n in members if n.definition.measure in TIMES}
    names |= {"other" for n in members if n.definition.measure == "busiest"}
    if selection.source == "ties":
        assert live is not None  # noqa: S101 - the caller has computed them
        return tie_rows(live, enrolled, names)
    kinds = members[0].pass_kinds
    names |= {KIND} if any(kinds != frozenset(n.definition.kinds) for n in members) else set()
    rows = event_rows(events, enrolled, selection, sorted(kinds), names, moment)
    return with_conversions(rows, (n.definition for n in members))


def _measures(rows: Frame, members: Sequence[NumberedDefinition], moment: Moment) -> list[Frame]:
    """The frames that together hold the values of the definitions of one pass."""
    grouped = [n for n in members if n.definition.measure not in SEQUENCES]
    sequences = [n for n in members if n.definition.measure in SEQUENCES]
    parts = [_grouping(rows, grouped, moment)] if grouped else []
    return [*parts, *(SEQUENCES[n.definition.measure](rows, n, moment) for n in sequences)]


def _grouping(rows: Frame, members: Sequence[NumberedDefinition], moment: Moment) -> Frame:
    """Group once by person, and compute the values of all definitions."""
    members, marks = _with_marks(members, moment)
    recipes = {n: recipe(n, moment) for n in members}
    over_person = {n.name(p): e for n, r in recipes.items() for p, e in r.over_person.items()}
    parts = {n.name(p): e for n, r in recipes.items() for p, e in r.columns.items()}
    aggregates = {n.name(p): e for n, r in recipes.items() for p, e in r.aggregates.items()}
    for columns in (marks, over_person, parts):
        rows = rows.with_columns(**columns) if columns else rows
    by_person = rows.group_by("person").agg(**aggregates)
    values = {n.value: r.value for n, r in recipes.items()}
    plain = {name: v for name, v in values.items() if not isinstance(v, Quotient)}
    quotients = {name: v for name, v in values.items() if isinstance(v, Quotient)}
    plain |= {column: e for n, r in recipes.items() for column, e in zip(n.columns[1:], r.currencies, strict=True)}
    with_values = by_person.with_columns(**plain) if plain else by_person
    with_values = with_currency_texts(with_values, members)
    complete = with_quotients(with_values, quotients)
    return complete.select("person", *(c for n in members for c in n.columns))


def _with_marks(
    members: Sequence[NumberedDefinition], moment: Moment
) -> tuple[list[NumberedDefinition], dict[str, nw.Expr]]:
    """Give each definition the column that says which rows count, and the number of the first definition with the same rows and
    field: they share their parts.
    """
    marks, numbers, result = dict[str, nw.Expr](), dict[object, int](), []
    for n in members:
        definition = n.definition
        kinds = frozenset(definition.kinds) if n.tests_kind else None
        among = (definition.among,) if definition.measure == "share" else ()
        rows = (definition.where, kinds, among)
        key = numbers.setdefault((rows, definition.value), n.number)
        mark_name = f"_m{numbers.setdefault(rows, n.number)}" if any(rows) else None
        n = replace(n, key=key, mark_name=mark_name)
        if mark_name and mark_name not in marks:
            marks |= _share_marks(n, moment) if among else {mark_name: n.is_met(definition.where, moment)}
        result.append(n)
    return result, marks


def _share_marks(n: NumberedDefinition, moment: Moment) -> dict[str, nw.Expr]:
    """Whether a row is one of those of which we take a share, and whether it counts."""
    definition = n.definition
    whole = n.is_met(definition.among, moment)
    if definition.where is not None:
        whole = whole & ~definition.where.columns(moment.day, {}).is_null()
    return {n.name("whole"): whole, str(n.mark_name): whole & n.is_met(definition.where, moment)}


def _with_consents(table: Frame, consents: Frame, numberings: Sequence[NumberedDefinition]) -> Frame:
    """Add `kN`: 0 if the person consents to the N-th class of all, else null."""
    classes = all_classes(numberings)
    if not classes:
        return table
    agreements = [
        nw.when(nw.col("data_class") == c).then(integer(0)).max().alias(f"k{k}") for k, c in enumerate(classes)
    ]
    return table.join(consents.group_by("person").agg(*agreements), on="person", how="left")


def all_classes(numberings: Iterable[NumberedDefinition]) -> list[str]:
    """All data classes of the definitions, sorted."""
    return sorted({c for n in numberings for c in n.definition.classes})


def _finish(table: Frame, numberings: Sequence[NumberedDefinition]) -> Frame:
    """Apply consent, zeros, currencies and bounds to the values of these definitions.

    We put values that need the same treatment into one expression: for a person or two, the time depends on the number of
    expressions, not of rows.
    """
    own = [n for n in numberings if n.definition.source in ("events", "ties")]
    return _finished(table, own, {c: k for k, c in enumerate(all_classes(numberings))})


def _finished(table: Frame, members: Sequence[NumberedDefinition], classes: dict[str, int]) -> Frame:
    treatments = dict[tuple[bool, tuple[str, ...]], list[str]]()
    bounds = dict[tuple[int, int], list[str]]()
    for n in members:
        treatments.setdefault((n.definition.zero, tuple(sorted(n.definition.classes))), []).append(n.value)
        bounds.setdefault((n.definition.low, n.definition.high), []).append(n.value)
    values = []
    for (is_zero, own_classes), names in treatments.items():
        value = nw.col(*names).cast(nw.Int64())
        value = value.fill_null(0) if is_zero else value
        for data_class in own_classes:
            value = value + nw.col(f"k{classes[data_class]}")
        values.append(value)
    money = [n for n in members if n.definition.has_currencies]
    unmixed = [
        nw.when(in_one_currency(nw.col(n.first_currency), nw.col(n.last_currency))).then(nw.col(n.value)).alias(n.value)
        for n in money
    ]
    clipped = [nw.col(*names).clip(low, high) for (low, high), names in bounds.items()]
    for columns in (values, unmixed, clipped):
        table = table.with_columns(*columns) if columns else table
    return table


def _with_derived(table: Frame, live: Frame | None, numberings: Sequence[NumberedDefinition], moment: Moment) -> Frame:
    """Add the features that are computed from others, those first on which others depend."""
    by_name = {n.definition.name: n for n in numberings}
    classes = {c: k for k, c in enumerate(all_classes(numberings))}
    ordered = [by_name[d.name] for d in in_order(tuple(n.definition for n in numberings))]
    remaining = [n for n in ordered if n.definition.source in ("features", "neighbours")]
    while remaining:
        names = {n.definition.name for n in remaining}
        ready = [n for n in remaining if not n.definition.uses & names]
        formulas = [n for n in ready if n.definition.source == "features"]
        near = [n for n in ready if n.definition.source == "neighbours"]
        table = formula_columns(table, formulas, by_name, moment)
        if near and live is not None:
            table = neighbour_columns(table, live, near, by_name, moment)
        table = _finished(table, ready, classes)
        remaining = [n for n in remaining if n not in ready]
    return table.select("person", *(n.value for n in numberings))
