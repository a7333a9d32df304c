"""The commands of a module and their console. One module holds the commands that import the same libraries."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

EXIT_FAILED, EXIT_ERROR = 1, 2  # exit statuses: something was rejected; the command could not run


def commands() -> typer.Typer:
    """The commands of one module. Their help is plain text: drawing boxes takes as long as a whole command may take to start."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


def console() -> "Console":
    """The console that commands print to: with colours on a terminal, plain elsewhere."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)
