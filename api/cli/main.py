"""The command line: each command parses its arguments, calls one action, and prints the result.

An error is one line on stderr and an exit status. We import a command's module when you run the command, so `iftah --help`
imports none of them.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from api.cli.output import EXIT_ERROR
from api.cli.plain_values import use_plain_values

EXIT_INTERRUPTED: Final = 130  # the exit status of Ctrl-C


class CommandEntry(NamedTuple):
    """A command: its name, its module in `api.cli`, and its help in one line."""

    name: str
    module: str
    help: str


COMMANDS: Final[tuple[CommandEntry, ...]] = (
    CommandEntry("init", "init", "Make a folder to work in: settings, the shipped rules with their cases, and a README."),
    CommandEntry("run", "serve", "Load evidence if there is none, build features, score all people, and serve."),
    CommandEntry("demo", "serve", "Set up as `run` does, and show one answer of each outcome instead of serving."),
    CommandEntry("load", "evidence", "Load files of events into the ledger."),
    CommandEntry("import", "imports", "Import files or a query's rows as events, by a map of their columns."),
    CommandEntry("build", "features", "Compute all features from the ledger. The server uses them from then on."),
    CommandEntry("refresh", "features", "Recompute the features and scores that new events affect. A running server does this by itself."),
    CommandEntry("score", "features", "Score every person of the newest build under the rules folder's release."),
    CommandEntry("features", "features", "Show which events made the value of a person's feature, and the value without each of them."),
    CommandEntry("explain", "decisions", "Explain a person's score: each rule, its condition, the person's values, and the distance to the threshold."),
    CommandEntry("draw", "draw", "Draw a person's ego network as of the newest build: ties and money separately, trust as colour."),
    CommandEntry("eligible", "decisions", "Decide whether a person may have a perk without a deposit. The decision is recorded."),
    CommandEntry("check", "rules", "Check rule files and run their cases. List every problem with its place and a hint."),
    CommandEntry("fmt", "rules", "Format rule files. Comments are kept."),
    CommandEntry("test", "rules", "Run the cases beside the rules. Count those that pass in each file, and show the failures."),
    CommandEntry("diff", "diff", "Show what changes in meaning between two sets of rules, and whom it moves."),
    CommandEntry("propose", "releases", "Propose the rules of a folder: check them, measure whom they move, and sign them for review."),
    CommandEntry("measure", "releases", "Measure again whom a proposal moves, after another release came into force, and sign it again for review."),
    CommandEntry("releases", "releases", "List the proposals and the releases that were in force, newest first; or show one proposal."),
    CommandEntry("approve", "releases", "Approve a proposal as the second person."),
    CommandEntry("reject", "releases", "Reject a proposal."),
    CommandEntry("release", "releases", "Put an approved proposal into force: for everyone, or by its plan for a first share of people."),
    CommandEntry("rollback", "releases", "Go back: end the trial that runs, or put a release into force again that was in force."),
    CommandEntry("break-glass", "releases", "Put rules into force alone, for some hours."),
    CommandEntry("key", "keys", "Make, list and revoke the keys that sign changes of rules."),
    CommandEntry("schema", "rules", "Print the JSON Schema of a kind of rule file, of import maps, or of all kinds."),
    CommandEntry("export", "export", "Write the rules in a format for other rule engines."),
    CommandEntry("serve", "serve", "Serve the API from the newest build."),
    CommandEntry("token", "tokens", "Issue, list, rotate and revoke tokens."),
    CommandEntry("links", "links", "Permit contributors to say that two ids are one person."),
    CommandEntry("orders", "orders", "Move the orders that are due by the clock: to expired, or to overdue."),
    CommandEntry("audit", "audit", "Verify, replay, prove and report decisions."),
    CommandEntry("backup", "operations", "Copy an SQLite database while it is in use."),
    CommandEntry("erase", "operations", "Erase a person on their written request, as `DELETE /v1/me` does."),
    CommandEntry("settings", "operations", "Show every setting in force and its source. Passwords and tokens are hidden."),
    CommandEntry("evaluate", "evaluate", "Measure the score and the features on real data."),
)  # fmt: skip
_COMMAND_BY_NAME: Final = {entry.name: entry for entry in COMMANDS}


class Commands(TyperGroup):
    """The commands of `COMMANDS`. We import each when you first ask for it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of all commands."""
        return use_plain_values(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - its name is Typer's
        """Their names, in the order of `COMMANDS`."""
        return [*_COMMAND_BY_NAME]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of that name, or None."""
        if cmd_name in _COMMAND_BY_NAME and cmd_name not in self.commands:
            module = import_module(f"api.cli.{_COMMAND_BY_NAME[cmd_name].module}")
            self.commands.update(typer.main.get_group(module.app).commands)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` begin with. Otherwise a usage error suggests the nearest name."""
        if args and args[0] not in _COMMAND_BY_NAME:
            names: dict[str, Any] = dict.fromkeys(_COMMAND_BY_NAME)
            self.commands = names
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Print the names and help of `COMMANDS`."""
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


def _version(show_version: bool) -> None:
    if show_version:
        from importlib.metadata import version

        print(f"iftah {version('iftah')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Iftah: trust scores and deposit-free perks from evidence."""


def main() -> None:
    """The entry point. We turn every failure into one line on stderr and an exit status."""
    try:
        app()
    except SystemExit as system_exit:
        if system_exit.code == EXIT_INTERRUPTED:
            print("iftah: stopped; committed work is kept, run the command again to continue", file=sys.stderr)
        raise
    except Exception as error:
        for line in _error_lines(error):
            print(line, file=sys.stderr)
        sys.exit(EXIT_ERROR)


def _error_lines(error: Exception) -> Sequence[object]:
    """The lines for a failure. For an error in our own code: its class and place, since its text may hold personal data."""
    from api.telemetry import crash_site
    from engine.errors import IftahError
    from engine.lang.model.problems import RulesError
    from graph.datasets.dataset import SourceError

    if isinstance(error, RulesError):
        return error.problems
    if isinstance(error, IftahError | SourceError):
        return [f"iftah: {error}"]
    return [f"iftah: something went wrong inside ({crash_site.kind_and_place(error)}): please report it"]
