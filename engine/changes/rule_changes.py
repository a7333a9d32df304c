"""List the changes from one program to another, one line of the rules at a time.

Each change is a step that you can apply. All steps in order lead from the old program to a program that decides as the new one.
Between two steps, the rules are a mixture that nobody wrote: it need not pass the check, but it decides, because no condition can
fail.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol, TypeVar

from engine.lang.check.release import check
from engine.lang.model.problems import Report
from engine.lang.model.program import OrderLifecycle, Perk, Program, Release, Scorecard
from engine.lang.model.types import Kinds, Schema
from engine.lang.syntax.ast import ListFile
from engine.lang.syntax.parse import parse

# What people see of a decision does not depend on these, or it is the name of the line itself.
NO_EFFECT: Final = ("id", "about")
ORDER: Final = "the order"  # no id has a blank
SCORE_PARTS: Final = ("lowest", "highest", "base", "scorable", "unscorable", "bands")


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_Identified)
Step = Callable[[Program], Program]


@dataclass(frozen=True)
class RuleChange:
    """A change of one line: the sort of its file, its name such as `tier hotel.700`, and the step that makes it.

    `columns` are the features or flags whose values change with the step: by their new definition they are other numbers.
    """

    kind: str
    name: str
    apply: Step
    columns: tuple[str, ...] = ()


def rule_changes(
    old: Program,
    new: Program,
    columns: Sequence[str] = (),
    list_programs: Sequence[tuple[str, Program]] = (),
    zone_columns: Sequence[str] = (),
) -> tuple[RuleChange, ...]:
    """The changes in this order: features, flags, lists, policy, scorecard, perks, orders.

    `columns` are the features and flags that the two programs define differently and that you have values of by both.
    `list_programs` are the old program with one list after the other as the new rules have it, from `changed_lists`. `zone_columns` are further
    columns that you have in both time zones. Within a
    file, the lines are in the order of the new file, then those that it no longer has. If a column has another type by the new
    definition, no rule can read both values, so all changes are one step.
    """
    if any(name in old.schema and old.schema[name].type != new.schema[name].type for name in columns):
        return (RuleChange("features", "all changes together", lambda _: _comparable(old, new), tuple(columns)),)
    flags = {p.flag for p in (*old.watch, *new.watch)}
    data = [RuleChange("watch" if n in flags else "features", _column_name(n, flags), _same, (n,)) for n in columns]
    lists = [RuleChange("lists", f"list {name}", _with_conditions(program)) for name, program in list_programs]
    last = list_programs[-1][1] if list_programs else old
    lines = (
        *_policy_changes(last, new, tuple(zone_columns)),
        *_scorecard_changes(last, new),
        *_perk_changes(last, new),
        *_limits(last, new),
    )
    return (*data, *lists, *lines)


def changed_lists(
    old: Release, new: Release, day: int, schema: Schema, kinds: Kinds
) -> tuple[tuple[str, Program], ...]:
    """The old program of a day with the lists of the new release, one after the other, each by the list's id.

    We leave out a list with which the old rules do not check, or decide as before: the lines that read it account for it then.
    """
    files, programs = dict(old.files), list[tuple[str, Program]]()
    program = old.at(day)
    for name, text in sorted(new.files.items()):
        file = parse(name, text, Report())
        if not isinstance(file, ListFile) or name not in files or files[name] == text:
            continue
        release, _ = check({**files, name: text}, schema, kinds)
        if release is None:
            continue
        files[name] = text
        if not decides_alike(program, release.at(day)):
            program = release.at(day)
            programs.append((file.id.text, program))
    return tuple(programs)


def _with_conditions(source: Program) -> Step:
    """The program with the lines of another one."""
    return lambda p: replace(p, scorecard=source.scorecard, perks=source.perks, orders=source.orders)


def first_program(old: Program, new: Program) -> Program:
    """The old program, able to read what lines of the new one read: the program before the first step."""
    return replace(old, schema={**new.schema, **old.schema})


def decides_alike(first: Program, second: Program) -> bool:
    """Whether two programs decide alike by their form: their scorecards, perks, limits of orders and policies are equal."""
    return _essence(first) == _essence(second)


def _essence(program: Program) -> tuple[object, ...]:
    limits = program.orders.limits if program.orders else ()
    perks = tuple(replace(p, about="", valid_hours=0) for p in program.perks)
    weightless = replace(program.scorecard, weights=())
    return weightless, perks, limits, program.relationships, program.timezone


def _comparable(old: Program, new: Program) -> Program:
    return replace(new, schema={**old.schema, **new.schema})


def _same(program: Program) -> Program:
    return program


def _column_name(name: str, flags: set[str]) -> str:
    return f"flag {name.removeprefix('watch.')}" if name in flags else f"feature {name}"


def _policy_changes(old: Program, new: Program, zone_columns: tuple[str, ...]) -> Iterator[RuleChange]:
    if old.relationships != new.relationships:
        yield RuleChange("policy", "relationships", lambda p: replace(p, relationships=new.relationships))
    if old.timezone != new.timezone:
        yield RuleChange("policy", "timezone", lambda p: replace(p, timezone=new.timezone), zone_columns)


def _scorecard_changes(old: Program, new: Program) -> Iterator[RuleChange]:
    before, after = old.scorecard, new.scorecard
    for part in SCORE_PARTS:
        if getattr(before, part) != getattr(after, part):
            yield RuleChange("scorecard", part, _with_score_part(part, getattr(after, part)))
    for name, step in _item_steps(before.items, after.items):
        yield RuleChange("scorecard", name, _on_items(step))


def _with_score_part(part: str, value: Any) -> Step:
    change: dict[str, Any] = {part: value}
    return lambda p: replace(p, scorecard=replace(p.scorecard, **change))


def _on_items(step: "ItemStep") -> Step:
    def apply(program: Program) -> Program:
        card: Scorecard = program.scorecard
        return replace(program, scorecard=replace(card, items=step(card.items)))

    return apply


def _perk_changes(old: Program, new: Program) -> Iterator[RuleChange]:
    by_id = {p.id: p for p in old.perks}
    for name, step in _item_steps(old.perks, new.perks, only_ids=True):
        if name == ORDER:
            continue  # a question names its perk
        yield RuleChange("perks", f"perk {name}", _on_perks(step))
    for perk in new.perks:
        if perk.id in by_id and by_id[perk.id] != perk:
            yield from _changes_of_perk(by_id[perk.id], perk)


def _on_perks(step: "ItemStep") -> Step:
    return lambda p: replace(p, perks=step(p.perks))


def _changes_of_perk(before: Perk, after: Perk) -> Iterator[RuleChange]:
    for field in fields(Perk):
        old_value, new_value = getattr(before, field.name), getattr(after, field.name)
        if old_value == new_value or field.name in (*NO_EFFECT, "valid_hours", "digits"):
            continue
        if field.name in ("knockouts", "tiers"):
            noun = {"knockouts": "knock-out", "tiers": "tier"}[field.name]
            for name, step in _item_steps(old_value, new_value):
                text = f"{noun} {name}" if name != ORDER else f"{name} of {field.name} of {after.id}"
                yield RuleChange("perks", text, _on_perk(after.id, field.name, step))
        else:
            more = {"digits": after.digits} if field.name == "currency" else {}
            yield RuleChange(
                "perks", f"{field.name} of {after.id}", _with_perk(after.id, {field.name: new_value, **more})
            )


def _on_perk(perk_id: str, field: str, step: "ItemStep") -> Step:
    def apply(program: Program) -> Program:
        changes: dict[str, dict[str, Any]] = {
            p.id: {field: step(getattr(p, field))} for p in program.perks if p.id == perk_id
        }
        return replace(program, perks=tuple(replace(p, **changes.get(p.id, {})) for p in program.perks))

    return apply


def _with_perk(perk_id: str, change: dict[str, Any]) -> Step:
    return lambda p: replace(p, perks=tuple(replace(q, **change) if q.id == perk_id else q for q in p.perks))


def _limits(old: Program, new: Program) -> Iterator[RuleChange]:
    before = old.orders.limits if old.orders else ()
    after = new.orders.limits if new.orders else ()
    for name, step in _item_steps(before, after):
        yield RuleChange("orders", f"refusal {name}", _on_limits(step))


def _on_limits(step: "ItemStep") -> Step:
    def apply(program: Program) -> Program:
        orders = program.orders or OrderLifecycle((), "", (), (), (), ())
        return replace(program, orders=replace(orders, refusals=step(orders.limits)))

    return apply


ItemStep = Callable[[tuple[Any, ...]], tuple[Any, ...]]


def _item_steps(old: Sequence[Item], new: Sequence[Item], *, only_ids: bool = False) -> Iterator[tuple[str, ItemStep]]:
    """The steps from the old items to the new ones, each with the id of its item; `ORDER` for another order at the end.

    With `only_ids`, an item that both have stays as it is.
    """
    before, new_ids = {item.id: item for item in old}, [item.id for item in new]
    state = tuple(old)
    for place, item in enumerate(new):
        if item.id not in before:
            step = _addition(item, frozenset(new_ids[:place]))
        elif before[item.id] != item and not only_ids:
            step = _replacement(item)
        else:
            continue
        state = step(state)
        yield item.id, step
    for item in old:
        if item.id not in new_ids:
            step = _removal(item.id)
            state = step(state)
            yield item.id, step
    if [item.id for item in state] != new_ids:
        yield ORDER, lambda items: tuple(sorted(items, key=lambda item: new_ids.index(item.id)))


def _addition(item: Any, earlier_ids: frozenset[str]) -> ItemStep:
    """Insert the item behind the last of those that come before it."""

    def step(items: tuple[Any, ...]) -> tuple[Any, ...]:
        place = max((n + 1 for n, other in enumerate(items) if other.id in earlier_ids), default=0)
        return (*items[:place], item, *items[place:])

    return step


def _replacement(item: Any) -> ItemStep:
    return lambda items: tuple(item if other.id == item.id else other for other in items)


def _removal(item_id: str) -> ItemStep:
    return lambda items: tuple(other for other in items if other.id != item_id)
