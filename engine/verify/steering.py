"""Change the values of a person until a condition has a wanted status, at random among the ways that lead there."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

from engine.lang.engines.reference import truth
from engine.lang.model.conditions import And, AttrKnown, AttrsEqual, Cmp, Not, Or, Truth, names
from engine.lang.model.types import Type, Value, fits
from engine.verify.boundary_cases import aim, compared_constants, near

MAX_LEAF_DRAWS: Final = 30  # draws of values for one comparison of several attributes

MutableValues = dict[str, Value | None]


class Steering:
    """Steers values towards statuses of conditions. The attributes in `types` may change; the others stay as they are.

    `usual` gives a value around which we look, for attributes that no condition compares with a constant. Deterministic for a
    `chooser`.
    """

    def __init__(
        self, conditions: Iterable[Truth], types: Mapping[str, Type], chooser: Random, usual: Mapping[str, int]
    ) -> None:
        self.types, self.chooser = types, chooser
        constants = compared_constants(conditions)
        self.choices = {
            name: _choices(type_, constants.get(name) or {usual.get(name, 0)}) for name, type_ in types.items()
        }

    def steer(self, node: Truth, status: bool | None, values: MutableValues) -> None:
        """Change `values` towards the status. The result may miss it: the caller checks, and draws again."""
        if truth(node, values) is status:
            return
        match node:
            case And(parts):
                self._join(parts, status, values, absorbing=False)
            case Or(parts):
                self._join(parts, status, values, absorbing=True)
            case Not(part):
                self.steer(part, None if status is None else not status, values)
            case _:
                self._leaf(node, status, values)

    def value(self, name: str) -> Value:
        """A value at which a condition can turn; the bounds of the type only rarely."""
        return self._candidates(name)[0]

    def _join(self, parts: tuple[Truth, ...], status: bool | None, values: MutableValues, *, absorbing: bool) -> None:
        """Kleene's `and` is false as soon as one part is (`absorbing`), and so is `or` true."""
        order = self.chooser.sample(parts, len(parts))
        if status is absorbing:
            self.steer(order[0], absorbing, values)
            return
        for part in order[status is None :]:
            self.steer(part, not absorbing, values)
        if status is None:
            self.steer(order[0], None, values)

    def _leaf(self, node: Truth, status: bool | None, values: MutableValues) -> None:
        free = [name for name in dict.fromkeys(names(node)) if name in self.types]
        if not free:
            return
        if status is None or (isinstance(node, AttrKnown) and not status):
            values[self.chooser.choice(free)] = None
            return
        for name in free:
            if values.get(name) is None:
                values[name] = self.value(name)
        if len(free) == 1:
            self._turn_one(node, status, free[0], values)
            return
        for _ in range(MAX_LEAF_DRAWS):
            if truth(node, values) is status:
                return
            name = self.chooser.choice(free)
            values[name] = self.value(name)
            if isinstance(node, Cmp):
                aim(values, node, self.types, self.chooser)
            if isinstance(node, AttrsEqual):
                other = values.get(node.left if name == node.right else node.right)
                values[name] = other if fits(other, self.types[name]) else values[name]

    def _turn_one(self, node: Truth, status: bool, name: str, values: MutableValues) -> None:
        if truth(node, values) is status:
            return
        candidates = self._candidates(name)
        values[name] = next((v for v in candidates if truth(node, {**values, name: v}) is status), candidates[0])

    def _candidates(self, name: str) -> list[Value]:
        """All choices at random, the bounds of the type last: they are often absurd values."""
        type_, choices = self.types[name], self.choices[name]
        shuffled = self.chooser.sample(choices, len(choices))
        return sorted(shuffled, key=lambda v: type_.numeric and v in (type_.low, type_.high))


def _choices(type_: Type, constants: Iterable[Value]) -> list[Value]:
    """Values of the type at which a condition can turn, sorted."""
    if type_.kind == "bool":
        return [False, True]
    if type_.kind == "enum":
        return [*type_.values]
    if type_.kind == "string":
        return [*sorted(str(c) for c in constants if isinstance(c, str)), "another"]
    return [*near((int(n) for n in constants), type_.low, type_.high)]
