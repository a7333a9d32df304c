"""What the command line does, and how it shows it. A module holds the commands that import the same."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

FAILED, WRONG = 1, 2  # exit statuses: something was refused; it could not be done


def commands() -> typer.Typer:
    """The commands of one module. Their help is plain text: to draw boxes takes as long as a command may take to start."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


def console() -> "Console":
    """Where commands print: colours on a terminal, plain lines elsewhere."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)
