"""`iftah run`, `demo`, `serve`: from whatever is there to answers."""

from collections.abc import Iterator
from typing import Annotated

import typer
from sqlalchemy import Engine

from api import prepare, show
from api.commands import commands, console
from api.features import builds, coverage
from api.prepare import Stages
from api.progress import Steps
from api.settings import settings

app = commands()


@app.command()
def run() -> None:
    """Load evidence if there is none, build, score everyone, and serve."""
    from api import serving
    from api.access.gate import gate_of
    from api.background.reload import Reload
    from api.commands import walk

    chosen, stages = settings(), Stages()
    gate = gate_of(chosen)
    with serving.listening(chosen.host, chosen.port) as socket:
        world, made = prepare.prepared(chosen, Steps(console()), stages)
        console().print(show.stages(stages.done))
        console().print(f"OpenAPI page: http://{chosen.host}:{chosen.port}/docs")
        console().print("A request that works, as the demo merchant (its token ends in a day):")
        for line in walk.request(world, made, chosen):
            console().print(line, markup=False)
        serving.serve(world, socket, Reload(chosen.rules), gate, chosen.log_format)


@app.command()
def demo() -> None:
    """Do the same without serving, and show one answer of each kind."""
    from api.commands import walk

    walk.demo(settings(), console())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="the address; IFTAH_HOST unless given")] = None,
    port: Annotated[int | None, typer.Option(help="the port; IFTAH_PORT unless given", min=1, max=65535)] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="processes; more than one on PostgreSQL only; IFTAH_WORKERS unless given", min=1, max=64),
    ] = None,
) -> None:
    """Serve the API from what has been built."""
    from api import serving
    from api.access.gate import gate_of
    from api.background.reload import Reload

    chosen = settings()
    chosen = chosen.model_copy(update={"workers": workers or chosen.workers})
    serving.allowed(chosen)
    gate = gate_of(chosen)
    with serving.listening(host or chosen.host, port or chosen.port) as socket:
        world = prepare.enforced(chosen, serving=True)
        for line in served(world.database):
            console().print(line, markup=False)
        console().print(f"OpenAPI page: http://{host or chosen.host}:{port or chosen.port}/docs")
        if chosen.workers > 1:
            serving.serve_by_several(world, socket, chosen)
        else:
            serving.serve(world, socket, Reload(chosen.rules), gate, chosen.log_format)


def served(database: Engine) -> Iterator[str]:
    """What is served: how many people have a score, as of when; or that nothing has been built."""
    made = builds.latest(database)
    if made is None:
        yield "no features have been built yet: every question is refused until `iftah build`"
    else:
        yield from show.coverage(coverage.of_build(database, made))
