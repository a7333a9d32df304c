"""Convert command-line words to paths, texts and choices without pydantic.

Importing pydantic takes longer than checking the rules.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from typer.core import TyperCommand


class PlainValues(TyperCommand):
    """A command whose parameters are flags, paths, texts, choices, or lists of these."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, with `--help`."""
        return use_plain_values(super().get_params(ctx))


def use_plain_values(params: list[Any]) -> list[Any]:
    """The same parameters, converted by `_Value` instead of the pydantic validators that Typer makes."""
    for param in params:
        param._runtime_param = _Value(param.type_descriptor.annotation)
    return params


class _Value:
    """Typer's interface for converting a parameter's value."""

    def __init__(self, annotation: Any) -> None:
        self.many = get_origin(annotation) is list
        self.value_type = get_args(annotation)[0] if self.many else annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of a text; None, or an empty tuple for a list, if you gave none."""
        if value is None:
            return () if self.many else None
        if self.many:
            words: Sequence[Any] = value
            return [self._convert(word, param, ctx) for word in words]
        return self._convert(value, param, ctx)

    def _convert(self, word: Any, param: Any, ctx: Any) -> Any:
        choices = get_args(self.value_type)
        if choices and word not in choices:
            choice_list = ", ".join(map(repr, choices))
            raise typer.BadParameter(f"{word!r} is not one of {choice_list}.", ctx=ctx, param=param)
        return Path(word) if self.value_type is Path else word
