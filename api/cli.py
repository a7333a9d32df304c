"""The command line: each command parses, calls one action, presents. Errors are one line, and the status tells.

A command's module is imported when the command is asked for: `iftah --help` imports none of them.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from api.commands import WRONG
from api.commands.plain_values import read_plainly

INTERRUPTED: Final = 130  # the exit status of Ctrl-C


class Entry(NamedTuple):
    """A command: its name, the module of `api.commands` that holds it, and its help in a line."""

    name: str
    module: str
    help: str


COMMANDS: Final[tuple[Entry, ...]] = (
    Entry("run", "serve", "Load evidence if there is none, build, score everyone, and serve."),
    Entry("demo", "serve", "Do the same without serving, and show one answer of each kind."),
    Entry("load", "evidence", "Put files of events into the ledger."),
    Entry("build", "features", "Compute everyone's features from what the ledger holds; they are what is served from then on."),
    Entry("refresh", "features", "Make the features and scores of everyone anew whom new events touch; a running server does so by itself."),
    Entry("score", "features", "Score everyone in the newest build under the rules folder's release."),
    Entry("explain", "decisions", "Show how a person's score comes about: every rule, what it asks, what there is, how far it is off."),
    Entry("graph", "graph", "Draw a person's circle as the newest build saw it: ties and money apart, trust as colour."),
    Entry("eligible", "decisions", "Decide whether a person may have a perk without a deposit; the decision is recorded."),
    Entry("check", "rules", "Check rule files and run their cases: everything that is wrong, with its place and what to do."),
    Entry("fmt", "rules", "Write rule files in their one layout, with their comments."),
    Entry("test", "rules", "Run the cases beside the rules: how many come out in each file, and of the others what came instead."),
    Entry("schema", "rules", "Print the JSON Schema of a kind of rule file, or an object with that of each kind; with --out, write a file for each."),
    Entry("export", "export", "Write the rules for other people's engines."),
    Entry("serve", "serve", "Serve the API from what has been built."),
    Entry("token", "tokens", "Issue, list, rotate and revoke tokens."),
    Entry("clock", "operations", "Move the orders that time moves, once: expired, overdue."),
    Entry("audit", "audit", "Verify, replay, prove and report decisions."),
    Entry("backup", "operations", "Copy an SQLite database while it is in use: the state of one moment, whole or not at all."),
    Entry("erase", "operations", "Erase a person who asks for it by letter, as `DELETE /v1/me` does."),
    Entry("settings", "operations", "Show every setting in force, and where it is from; passwords and tokens are left out."),
    Entry("evaluate", "evaluate", "Measure the score and the features on real data."),
)  # fmt: skip
_BY_NAME: Final = {entry.name: entry for entry in COMMANDS}


class Commands(TyperGroup):
    """The commands of the table, each imported when it is first asked for."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of all commands."""
        return read_plainly(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - its name is Typer's
        """Their names, as the table has them."""
        return [*_BY_NAME]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of that name, or None."""
        if cmd_name in _BY_NAME and cmd_name not in self.commands:
            module = import_module(f"api.commands.{_BY_NAME[cmd_name].module}")
            self.commands.update(typer.main.get_group(module.app).commands)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the words begin with; for none, the usage error suggests the nearest by name."""
        if args and args[0] not in _BY_NAME:
            names: dict[str, Any] = dict.fromkeys(_BY_NAME)
            self.commands = names
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """The table."""
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.help) for entry in COMMANDS])


app = typer.Typer(
    cls=Commands,
    help="Iftah: trust scores and deposit-free perks from evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"iftah {version('iftah')}")
        raise typer.Exit


@app.callback()
def options(
    shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Iftah: trust scores and deposit-free perks from evidence."""


def main() -> None:
    """The entry point: every expected failure becomes one line on stderr and a status."""
    try:
        app()
    except SystemExit as stopped:
        if stopped.code == INTERRUPTED:
            print("iftah: stopped; what was committed stays, run it again to go on", file=sys.stderr)
        raise
    except Exception as error:
        for line in _lines(error):
            print(line, file=sys.stderr)
        sys.exit(WRONG)


def _lines(error: Exception) -> Sequence[object]:
    """What is said of a failure; of a mistake of ours its kind and place, for its text may hold data."""
    from api import mistakes
    from engine.errors import IftahError
    from engine.lang.problems import RulesError
    from graph.sources import SourceError

    if isinstance(error, RulesError):
        return error.problems
    if isinstance(error, IftahError | SourceError):
        return [f"iftah: {error}"]
    return [f"iftah: something went wrong inside ({mistakes.kind_and_place(error)}): please report it"]
