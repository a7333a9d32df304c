"""`iftah evaluate`: measure the score and the features on public data about real people.

We import each evaluation when you ask for it, since some take a second to import.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from api.cli.output import commands
from api.releases import rules_folder
from api.settings.settings import Settings, settings
from api.store import clock
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected
from engine.lang.model.program import Program
from graph.datasets import amlsim, berka, bitcoin_otc, facebook_sybil

evaluations = typer.Typer(help="Measure the score and the features on real data.", no_args_is_help=True)
app = commands()
app.add_typer(evaluations, name="evaluate")
out = Console(highlight=False, soft_wrap=True)

ProgressCallback = Callable[[int, int | None], None]
Parts = Iterable[Table | str]
Evaluate = Callable[[Path, Program, ProgressCallback], Parts]


def _berka(folder: Path, program: Program, on_progress: ProgressCallback) -> Parts:
    from api.evaluation import berka as evaluation

    return evaluation.report_parts(evaluation.evaluate_folder(folder, program, on_progress=on_progress))


def _sybil(folder: Path, program: Program, on_progress: ProgressCallback) -> Parts:
    from api.evaluation import sybil as evaluation

    return evaluation.report_parts(evaluation.evaluate_folder(folder, program, on_progress=on_progress))


def _otc(folder: Path, _program: Program, on_progress: ProgressCallback) -> Parts:
    from api.evaluation import otc as evaluation

    return evaluation.report_parts(evaluation.evaluate_folder(folder, on_progress=on_progress))


def _amlsim(folder: Path, _program: Program, on_progress: ProgressCallback) -> Parts:
    from api.evaluation import amlsim as evaluation

    return evaluation.report_parts(evaluation.evaluate_folder(folder, on_progress=on_progress))


class DataSet(NamedTuple):
    """A public data set: its folder, the text shown during the evaluation, and the evaluation."""

    folder: str
    activity: str
    evaluate: Evaluate


DATA_SETS: Final = {
    "berka": DataSet(berka.FOLDER, "evaluating on Berka's loans", _berka),
    "sybil": DataSet(facebook_sybil.FOLDER, "evaluating on Facebook's sybil region", _sybil),
    "otc": DataSet(bitcoin_otc.FOLDER, "evaluating on Bitcoin OTC's ratings", _otc),
    "amlsim": DataSet(amlsim.FOLDER, "evaluating on AMLSim's rings", _amlsim),
}


@evaluations.command("berka")
def evaluate_berka() -> None:
    """Compare the score as of each loan's date with the loan's outcome: AUC, KS, intervals."""
    _print_evaluation("berka")


@evaluations.command("sybil")
def evaluate_sybil() -> None:
    """Test the trust features on a sybil region: the points that it wins per attack edge."""
    _print_evaluation("sybil")


@evaluations.command("otc")
def evaluate_otc() -> None:
    """Predict the trusted people from ratings, by two protocols that hide the answer from the features."""
    _print_evaluation("otc")


@evaluations.command("amlsim")
def evaluate_amlsim() -> None:
    """Detect laundering rings by features of payments: precision and recall."""
    _print_evaluation("amlsim")


@evaluations.command("all")
def evaluate_all() -> None:
    """Run every evaluation whose data set is present. Name the data sets that are missing."""
    config = settings()
    for name, data_set in DATA_SETS.items():
        if (config.datasets_dir / data_set.folder).is_dir():
            _print_evaluation(name)
        else:
            out.print(f"evaluate {name}: skipped, the data set is missing (set IFTAH_DATASETS_DIR)", markup=False)


def run_evaluation(name: str, config: Settings, program: Program, steps: ProgressReporter) -> Iterator[Table | str]:
    """The tables and lines of one evaluation of `DATA_SETS`.

    Raises Rejected if its data set is missing, and SourceError if its files are not those of the data set.
    """
    data_set = DATA_SETS[name]
    folder = config.datasets_dir / data_set.folder
    if not folder.is_dir():
        raise Rejected(
            f"there is no data set `{data_set.folder}` in `{config.datasets_dir}`",
            where="data",
            hint="set IFTAH_DATASETS_DIR to the folder that holds it",
            code="no_data_set",
        )
    with steps.progress(data_set.activity) as on_progress:
        parts = data_set.evaluate(folder, program, on_progress)
    yield from parts


def _print_evaluation(name: str) -> None:
    config = settings()
    release = rules_folder.load_folder(config.rules)
    program = release.at(release.day(clock.now()))  # the rules in force today
    for part in run_evaluation(name, config, program, ProgressReporter(out)):
        out.print(part)
