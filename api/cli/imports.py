"""`iftah import`: import files, or the rows of a query, by a map from their columns to events."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli.load_reports import refuse_one_rejects_file, report_each
from api.cli.output import commands, console
from api.evidence.imports.column_profiles import profiles
from api.evidence.imports.columns import columns_of_map
from api.evidence.imports.dry_run import DryRunRecord, dry_run
from api.evidence.imports.event_targets import event_targets
from api.evidence.imports.file_sources import likely_delimiter, open_file
from api.evidence.imports.importing import import_source, plan_import, read_map
from api.evidence.imports.map_grammar import DELIMITERS
from api.evidence.imports.map_guess import guess_map
from api.evidence.imports.map_tree import ImportMap
from api.evidence.imports.query_source import QUERY_NAME, open_query
from api.evidence.imports.sources import Source
from api.evidence.link_sources import list_sources
from api.evidence.load import LoadReport, refuse_to_overwrite, rejects_paths
from api.settings.settings import Settings, settings
from api.store import clock, replace
from api.store.database import open_database
from api.telemetry.progress import ProgressReporter
from engine.errors import Rejected
from graph.evidence.vocabulary import LINK_KIND, EventVocabulary

app = commands()
DEFAULT_MAP: Final = Path("map.yaml")
GUESS_ROWS: Final = 10_000


@app.command("import")
def import_(
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV, TSV, NDJSON, JSON or Parquet, each also .gz or .zst")
    ] = None,
    map_file: Annotated[Path, typer.Option("--map", help="the map from columns to events")] = DEFAULT_MAP,
    url: Annotated[str | None, typer.Option("--from", help="the URL of a database to query")] = None,
    query: Annotated[str | None, typer.Option(help="the query whose rows are imported")] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="the file for the rejected rows; default: FILE.rejects.ndjson")
    ] = None,
    guess: Annotated[
        Path | None, typer.Option(help="a file to write a first map of, with a comment on each line")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="with --guess: overwrite the map")] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="show the first events, counts and problems, and write nothing")
    ] = False,
) -> None:
    """Import files or a query's rows as events, by a map of their columns. Write rejected rows to FILE.rejects.ndjson."""
    if guess is not None:
        _write_guess(guess, map_file, force=force)
        return
    places = _places(files or [], url, query, rejects)
    config = settings()
    vocabulary = _vocabulary(config, dry=dry)
    import_map, problems = read_map(map_file, event_targets(vocabulary))
    steps = ProgressReporter(console())
    opened = _opener(import_map, url, query)
    if dry:
        linking = _link_sources(import_map, config.database_url)

        def try_one(place: Path) -> LoadReport:
            with opened(place) as source, steps.progress(f"reading {place}") as on_progress:
                plan = plan_import(import_map, problems, vocabulary, source)
                report, record = dry_run(source, plan, now=clock.now, on_progress=on_progress, linking=linking)
            _say_record(steps, record)
            return report

        report_each(steps, places, try_one, "nothing is written: ")
        return
    database = open_database(config.database_url)

    def import_one(place: Path) -> LoadReport:
        refuse_to_overwrite(place, rejects)
        with opened(place) as source:
            plan = plan_import(import_map, problems, vocabulary, source)
            with steps.progress(f"importing {place}") as on_progress:
                rejects_places = (rejects,) if rejects else rejects_paths(place)
                return import_source(database, source, plan, rejects_places, now=clock.now, on_progress=on_progress)

    try:
        report_each(steps, places, import_one)
    finally:
        database.dispose()


def _link_sources(import_map: ImportMap, url: str) -> list[str]:
    """The contributors that may link ids, if the map makes links; we open the ledger for nothing else."""
    if all(event.kind.text != LINK_KIND for event in import_map.events):
        return []
    database = open_database(url)
    try:
        return [contributor for contributor, _ in list_sources(database)]
    finally:
        database.dispose()


def _vocabulary(config: Settings, *, dry: bool) -> EventVocabulary:
    """The vocabulary in force. A dry run needs no database: it takes that of the folder."""
    from api.releases.rules_folder import load_vocabulary  # `import --help` needs no rules
    from api.runtime.configured_rules import vocabulary_in_force

    if dry:
        return load_vocabulary(config.rules)
    database = open_database(config.database_url)
    try:
        return vocabulary_in_force(config, database)
    finally:
        database.dispose()


def _write_guess(file: Path, map_file: Path, *, force: bool) -> None:
    """Write a first map of a file."""
    if map_file.exists() and not force:
        hint = "name another with --map FILE, or add --force"
        raise Rejected("there is a map already", where=str(map_file), hint=hint, code="map_exists")
    delimiter = likely_delimiter(file)
    with open_file(file, delimiter=None if delimiter == "," else delimiter, batch_rows=GUESS_ROWS) as source:
        keys = [column.key for column in source.columns]
        first = next(iter(source.batches(keys)), None)
        columns = () if first is None else profiles(source.columns, first.frame)
    names = {sign: name for name, sign in DELIMITERS.items()}
    contributor = file.name.partition(".")[0] or "source"
    text = guess_map(columns, contributor, "" if delimiter == "," else names[delimiter])
    replace.write(map_file, text)
    ProgressReporter(console()).say(
        f"{map_file}: a first map of {file}; read its comments, then: iftah import {file} --map {map_file} --dry-run"
    )


def _places(files: list[Path], url: str | None, query: str | None, rejects: Path | None) -> list[Path]:
    """The files, or the name of the query in messages and of its file of rejected rows."""
    if (url is None) != (query is None):
        absent, option = ("--query", "--from") if query is None else ("--from", "--query")
        raise Rejected(f"{option} needs {absent} too", where=option, hint="name both or neither", code="bad_option")
    if bool(files) == (url is not None):
        hint = "iftah import orders.csv --map map.yaml"
        raise Rejected("name files, or a database and a query", where="import", hint=hint, code="bad_option")
    refuse_one_rejects_file(files, rejects)
    return files or [Path(QUERY_NAME)]


def _opener(
    import_map: ImportMap, url: str | None, query: str | None
) -> Callable[[Path], AbstractContextManager[Source]]:
    delimiter = DELIMITERS[import_map.delimiter.text] if import_map.delimiter else None
    if url is not None and query is not None:
        return lambda _: open_query(url, query)
    return lambda path: open_file(path, delimiter=delimiter, column_names=columns_of_map(import_map))


def _say_record(steps: ProgressReporter, record: DryRunRecord) -> None:
    steps.say("first events:")
    for event in record.first_events:
        steps.say(f"  {json.dumps(event, ensure_ascii=False, default=str)}")
    steps.say("by kind:")
    for kind in sorted(record.accepted.keys() | record.rejected.keys()):
        counts = f"{record.accepted[kind]:,} events, {record.duplicates[kind]:,} duplicates"
        steps.say(f"  {kind}: {counts}, {record.rejected[kind]:,} rejected")
    if record.problems:
        steps.say("problems:")
    for problem, count in record.problems.most_common():
        row = record.examples[problem]
        steps.say(f"  {count:,} times: {problem}")
        steps.say(f"    such as line {row.line}: {json.dumps(row.row, ensure_ascii=False, default=str)}")
