"""The command line for how well it does: the score and the features against what is known of real people."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from api import clock
from api.commands import commands
from api.progress import Steps
from api.releases import rules_folder
from api.settings import Settings, settings
from engine.errors import Refused
from engine.lang.program import Program
from graph.sources import amlsim, berka, bitcoin_otc, facebook_sybil

evaluations = typer.Typer(help="Measure the score and the features on real data.", no_args_is_help=True)
app = commands()
app.add_typer(evaluations, name="evaluate")
out = Console(highlight=False, soft_wrap=True)

# What takes a second to import is imported when it is asked for.
Moved = Callable[[int, int | None], None]
Parts = Iterable[Table | str]
Evaluate = Callable[[Path, Program, Moved], Parts]


def _berka(folder: Path, program: Program, moved: Moved) -> Parts:
    from api.evaluate import berka as one

    return one.shown(one.measured(folder, program, on_progress=moved))


def _sybil(folder: Path, program: Program, moved: Moved) -> Parts:
    from api.evaluate import sybil as one

    return one.shown(one.measured(folder, program, on_progress=moved))


def _otc(folder: Path, _program: Program, moved: Moved) -> Parts:
    from api.evaluate import otc as one

    return one.shown(one.measured(folder, on_progress=moved))


def _amlsim(folder: Path, _program: Program, moved: Moved) -> Parts:
    from api.evaluate import amlsim as one

    return one.shown(one.measured(folder, on_progress=moved))


SETS: Final[
    dict[str, tuple[str, str, Evaluate]]
] = {  # name -> folder of the data, what is said meanwhile, what is done
    "berka": (berka.FOLDER, "evaluating on Berka's loans", _berka),
    "sybil": (facebook_sybil.FOLDER, "evaluating on Facebook's sybil region", _sybil),
    "otc": (bitcoin_otc.FOLDER, "evaluating on Bitcoin OTC's ratings", _otc),
    "amlsim": (amlsim.FOLDER, "evaluating on AMLSim's rings", _amlsim),
}


@evaluations.command("berka")
def of_berka() -> None:
    """The score as of each loan's date against how the loan went: AUC, KS, intervals."""
    _one("berka")


@evaluations.command("sybil")
def of_sybil() -> None:
    """The trust features against a sybil region, and the points that it wins by each attack edge."""
    _one("sybil")


@evaluations.command("otc")
def of_otc() -> None:
    """What people say of each other against who turned out trusted, by two protocols that do not see the answer."""
    _one("otc")


@evaluations.command("amlsim")
def of_amlsim() -> None:
    """Rings and fans of payments against who was put on a ring: precision and recall."""
    _one("amlsim")


@evaluations.command("all")
def of_all() -> None:
    """All of them, one after the other; a data set that is not there is passed over, and said."""
    chosen = settings()
    for name, (folder, _, _) in SETS.items():
        if (chosen.data / folder).is_dir():
            _one(name)
        else:
            out.print(f"evaluate {name}: skipped, the data set is not there (set IFTAH_DATA)", markup=False)


def evaluated(name: str, chosen: Settings, program: Program, steps: Steps) -> Iterator[Table | str]:
    """What is shown of one evaluation of `SETS`. Raises Refused where its data are not there, SourceError for others than those."""
    folder, doing, evaluate = SETS[name]
    if not (chosen.data / folder).is_dir():
        raise Refused(
            f"there is no data set `{folder}` in `{chosen.data}`",
            where="data",
            hint="set IFTAH_DATA to the folder that holds it",
            code="no_data_set",
        )
    with steps.progress(doing) as moved:
        parts = evaluate(chosen.data / folder, program, moved)
    yield from parts


def _one(name: str) -> None:
    chosen = settings()
    release = rules_folder.load(chosen.rules)
    program = release.at(release.day(clock.now()))  # as in force today
    for part in evaluated(name, chosen, program, Steps(out)):
        out.print(part)
