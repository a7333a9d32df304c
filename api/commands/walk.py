"""The walk-through: what a newcomer is shown, end to end, with real answers that are on record."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import narwhals as nw
import polars as pl
from rich.console import Console

from api import actions, clock, prepare, services, show
from api.access import tokens
from api.decisions.decisions import Asked
from api.evidence import ledger
from api.features import builds, watching
from api.features.builds import Build
from api.progress import Steps
from api.routes.eligibility import EligibilityAnswer
from api.services import Terms
from api.settings import Settings
from api.world import World
from engine.lang import columnar
from graph.events import conform
from graph.sources import berka
from graph.vocabulary import CLASSES

MERCHANT = "demo-merchant"
OUTCOMES = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE")
ASKED = (("hotel", 50_000), ("car", 1_200_000))  # perk, minor units: the second is mostly waived in part


def demo(settings: Settings, console: Console) -> None:
    """Prepare, then show: the stages, the scores, one answer of each outcome, and the evaluation on Berka."""
    steps, stages = Steps(console), prepare.Stages()
    world, made = prepare.prepared(settings, steps, stages)
    console.print(show.stages(stages.done))
    for line in show.distribution(world.program(made), builds.scores(world.database, made)):
        steps.say(line)
    for outcome, asked in _examples(world, made):
        _shown(world, outcome, asked, steps, console)
    folder = settings.data / berka.FOLDER
    if (folder / "loan.asc").is_file():
        from api.evaluate import berka as evaluate  # takes a while to import, and only this needs it

        now = clock.now()
        with steps.progress("evaluating on Berka's loans") as moved:
            found = evaluate.measured(folder, world.release.at(world.day(now)), on_progress=moved)
        for part in evaluate.shown(found):
            console.print(part)
    else:
        steps.say("evaluate berka: skipped, the data set is not there (set IFTAH_DATA)")
    world.engines.close()


def request(world: World, made: Build, settings: Settings) -> Iterator[str]:
    """One request that can be pasted and works, with a fresh token of the demo merchant; the one before ends.

    The merchant has signed up, and the person has consented to be asked about by its service, as far as that goes for a demo.
    """
    now = clock.now()
    tokens.revoke(world.database, MERCHANT, now)
    secret = tokens.issue(world.database, "merchant", MERCHANT, MERCHANT, now, now + timedelta(days=1)).secret
    _, asked = next(_examples(world, made))
    services.sign_up(world.database, MERCHANT, asked.perk, Terms(asked.perk), now)
    _consent(world, asked, made.purpose, now)
    number = f"demo-{now:%Y%m%d%H%M%S}"
    body = {"transaction_id": number, "service": asked.perk, "subject": asked.subject, "amount": asked.amount}
    yield f"curl -s http://{settings.host}:{settings.port}/v1/eligibility \\"
    yield f"  -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' \\"
    yield f"  -d '{json.dumps(body)}'"


def _consent(world: World, asked: Asked, purpose: str, now: datetime) -> None:
    named = services.named(MERCHANT, asked.perk)
    row = {"contributor": MERCHANT, "event_id": f"consent-{asked.perk}-{asked.subject}", "kind": "consent.granted"}
    row |= {"subject": asked.subject, "purpose": purpose, "classes": ",".join(CLASSES), "service": named}
    known = ledger.read(world.database, people=[asked.subject], kinds=["consent.granted"])
    if row["event_id"] not in known["event_id"]:
        ledger.append(world.database, conform(pl.DataFrame([row | {"happened_at": now}])), now)


def _examples(world: World, made: Build) -> Iterator[tuple[str, Asked]]:
    """For each outcome someone to whom it comes, as far as there is anyone: the first by name, with most reasons first."""
    program, day = world.program(made), world.day(made.as_of)
    people = builds.values_of(world.database, made, program)
    flags = watching.of_everyone(world.database, world.engines, made, people["person"].to_list())
    scored = columnar.score(program, nw.from_native(builds.with_flags(people, program, flags)), day)
    answers = [
        columnar.perk(program, perk, scored, nw.lit(amount), day)
        .to_native()
        .select("person", "outcome", pl.lit(perk).alias("perk"), pl.lit(amount).alias("amount"))
        for perk, amount in ASKED
        if program.perk(perk)
    ]
    found = pl.concat(answers).unique(["outcome"], keep="first", maintain_order=True)
    by_outcome = {row["outcome"]: row for row in found.iter_rows(named=True)}
    for outcome in OUTCOMES:
        if row := by_outcome.get(outcome):
            perk = program.perk(row["perk"])
            currency = perk.currency if perk else ""
            yield outcome, Asked(MERCHANT, None, row["person"], row["perk"], row["amount"], currency)


def _shown(world: World, outcome: str, asked: Asked, steps: Steps, console: Console) -> None:
    now = clock.now()
    told, program = actions.eligibility(world, asked, now), world.program(actions.ready(world))
    console.rule(outcome)
    deposit = f"{show.money(asked.amount, program.perk(asked.perk))} {asked.currency}"
    steps.say(f"The merchant asks: may {asked.subject} have `{asked.perk}` without the deposit of {deposit}?")
    steps.say(f"The merchant sees: {EligibilityAnswer.of(told).model_dump_json()}")
    steps.say("The person sees:")
    for part in show.decision(program, actions.recorded(world, told.id)):
        steps.say(part)
