"""Words of the command line as paths, texts and choices, without pydantic, which takes longer to import than rules to check."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from typer.core import TyperCommand


class PlainValues(TyperCommand):
    """A command whose arguments and options are flags, paths, texts, words of a choice, or lists of these."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` among them."""
        return read_plainly(super().get_params(ctx))


def read_plainly(params: list[Any]) -> list[Any]:
    """These parameters, read by `_Value`: Typer would make a validator of pydantic for each."""
    for param in params:
        param._runtime_param = _Value(param.type_descriptor.annotation)
    return params


class _Value:
    """What Typer asks for a parameter's value."""

    def __init__(self, wanted: Any) -> None:
        self.many = get_origin(wanted) is list
        self.wanted = get_args(wanted)[0] if self.many else wanted

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value from its text; None when it is not given."""
        if value is None:
            return () if self.many else None
        if self.many:
            words: Sequence[Any] = value
            return [self._one(word, param, ctx) for word in words]
        return self._one(value, param, ctx)

    def _one(self, word: Any, param: Any, ctx: Any) -> Any:
        choices = get_args(self.wanted)
        if choices and word not in choices:
            known = ", ".join(map(repr, choices))
            raise typer.BadParameter(f"{word!r} is not one of {known}.", ctx=ctx, param=param)
        return Path(word) if self.wanted is Path else word
