"""`iftah run`, `demo` and `serve`: set up and serve, set up and show examples, or serve."""

from collections.abc import Iterator
from typing import Annotated

import typer

from api.cli.output import commands, console
from api.features import builds, coverage
from api.render import present
from api.runtime import bootstrap
from api.runtime.bootstrap import StageTimer
from api.settings.settings import settings
from api.store.database import Database
from api.telemetry.progress import ProgressReporter

app = commands()
Activity = Annotated[
    bool | None,
    typer.Option(
        "--activity/--no-activity",
        help="simulate three months of activity in a new database of demo data; default: IFTAH_DEMO_ACTIVITY",
    ),
]


@app.command()
def run(activity: Activity = None) -> None:
    """Load evidence if there is none, build features, score all people, and serve."""
    from api.cli import first_run, walk
    from api.http import server
    from api.http.gate import gate_of
    from api.jobs.reload import ReloadOptions

    config, stages = settings(), StageTimer()
    gate = gate_of(config)
    with server.bound_socket(config.host, config.port) as socket:
        history = first_run.history_of(config, activity)
        context, build = bootstrap.bootstrap(config, ProgressReporter(console()), stages, history)
        console().print(present.stages(stages.timings))
        for line in first_run.sign_in_lines(context, config):
            console().print(line, markup=False, soft_wrap=True)
        console().print(f"OpenAPI page: http://{config.host}:{config.port}/docs")
        console().print("A request that you can paste, as the demo merchant (its token expires in a day):")
        for line in walk.example_request(context, build, config):
            console().print(line, markup=False)
        server.serve(
            context,
            socket,
            ReloadOptions(config.rules, drafts_only=config.releases == "approved"),
            gate,
            config.log_format,
        )


@app.command()
def demo(activity: Activity = None) -> None:
    """Set up as `run` does, and show one answer of each outcome instead of serving."""
    from api.cli import first_run, walk

    config = settings()
    walk.demo(config, console(), first_run.history_of(config, activity))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="the address; default: IFTAH_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="the port; default: IFTAH_PORT", min=1, max=65535)] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="the number of processes; more than one needs PostgreSQL; default: IFTAH_WORKERS", min=1, max=64
        ),
    ] = None,
) -> None:
    """Serve the API from the newest build."""
    from api.http import server
    from api.http.gate import gate_of
    from api.jobs.reload import ReloadOptions

    config = settings()
    config = config.model_copy(update={"workers": workers or config.workers})
    server.check_workers(config)
    gate = gate_of(config)
    with server.bound_socket(host or config.host, port or config.port) as socket:
        context = bootstrap.load_context(config, serving=True)
        for line in coverage_lines(context.database):
            console().print(line, markup=False)
        console().print(f"OpenAPI page: http://{host or config.host}:{port or config.port}/docs")
        if config.workers > 1:
            server.serve_by_several(context, socket, config)
        else:
            server.serve(
                context,
                socket,
                ReloadOptions(config.rules, drafts_only=config.releases == "approved"),
                gate,
                config.log_format,
            )


def coverage_lines(database: Database) -> Iterator[str]:
    """How many people have a score and as of when, or that there is no build."""
    build = builds.latest_build(database)
    if build is None:
        yield "no features have been built yet: every question is rejected until you run `iftah build`"
    else:
        yield from present.coverage(coverage.of_build(database, build))
