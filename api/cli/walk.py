"""The walk-through for newcomers: set up, then show real, recorded answers from end to end."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import narwhals as nw
import polars as pl
from rich.console import Console

from api.access import tokens
from api.decisions.decisions import recorded_inputs
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.evidence import ledger
from api.features import builds, pattern_flags
from api.features.builds import Build
from api.merchants import services
from api.merchants.services import Terms
from api.releases.catalogue import vocabulary_of
from api.render import present
from api.runtime import bootstrap
from api.runtime.bootstrap import History
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from api.settings.settings import Settings
from api.store import clock
from api.telemetry.progress import ProgressReporter
from engine.lang.engines import columnar
from engine.lang.model.program import Program
from engine.lang.syntax.grammar import OUTCOMES
from graph.datasets import berka
from graph.evidence.events import conform
from graph.evidence.vocabulary import CLASSES

MERCHANT = "demo-merchant"
_BANK_KINDS = frozenset(("payment.made", "account.balance", "obligation.paid"))
EXAMPLE_PERKS = (("hotel", 50_000), ("car", 1_200_000))  # perk, minor units; the second is mostly PARTIAL


def demo(settings: Settings, console: Console, history: History | None = None) -> None:
    """Set up, then show the stages, the scores, one answer of each outcome, and the evaluation on Berka."""
    steps, stages = ProgressReporter(console), bootstrap.StageTimer()
    context, build = bootstrap.bootstrap(settings, steps, stages, history)
    console.print(present.stages(stages.timings))
    for line in present.distribution(context.program(build), builds.scores(context.database, build)):
        steps.say(line)
    for outcome, question in _examples(context, build):
        _print_example(context, outcome, question, steps, console)
    folder = settings.datasets_dir / berka.FOLDER
    if not {kind.name for kind in vocabulary_of(context.program(build)).kinds} >= _BANK_KINDS:
        pass  # these rules are for other evidence than that of a bank
    elif (folder / "loan.asc").is_file():
        from api.evaluation import berka as evaluate  # imported here: it takes long to import

        now = clock.now()
        with steps.progress("evaluating on Berka's loans") as on_progress:
            result = evaluate.evaluate_folder(folder, context.release.at(context.day(now)), on_progress=on_progress)
        for part in evaluate.report_parts(result):
            console.print(part)
    else:
        steps.say("evaluate berka: skipped, the data set is missing (set IFTAH_DATASETS_DIR)")
    context.evaluators.close()


def example_request(context: AppContext, build: Build, settings: Settings) -> Iterator[str]:
    """A request that you can paste, with a new token of the demo merchant. The previous token ends.

    For the demo we sign the merchant up and record the person's consent to its service.
    """
    now = clock.now()
    tokens.revoke(context.database, MERCHANT, now)
    secret = tokens.issue(context.database, "merchant", MERCHANT, MERCHANT, now, now + timedelta(days=1)).secret
    _, question = next(_examples(context, build))
    services.sign_up(context.database, MERCHANT, question.perk, Terms(question.perk), now)
    _record_consent(context, question, build.purpose, now)
    number = f"demo-{now:%Y%m%d%H%M%S}"
    body = {"transaction_id": number, "service": question.perk, "subject": question.subject, "amount": question.amount}
    yield f"curl -s http://{settings.host}:{settings.port}/v1/eligibility \\"
    yield f"  -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' \\"
    yield f"  -d '{json.dumps(body)}'"


def _record_consent(context: AppContext, question: EligibilityQuestion, purpose: str, now: datetime) -> None:
    service = services.service_name(MERCHANT, question.perk)
    row = {
        "contributor": MERCHANT,
        "event_id": f"consent-{question.perk}-{question.subject}",
        "kind": "consent.granted",
        "subject": question.subject,
        "purpose": purpose,
        "classes": ",".join(CLASSES),
        "service": service,
        "happened_at": now,
    }
    existing = ledger.read(context.database, people=[question.subject], kinds=["consent.granted"])
    if row["event_id"] not in existing["event_id"]:
        ledger.append(context.database, conform(pl.DataFrame([row])), now)


def _example_perks(program: Program) -> Iterable[tuple[str, int]]:
    """Perks with an amount to ask about: the shipped ones, or of other rules each perk with half of its highest amount."""
    shipped = [(perk, amount) for perk, amount in EXAMPLE_PERKS if program.perk(perk)]
    return shipped or [(perk.id, perk.most // 2) for perk in program.perks]


def _examples(context: AppContext, build: Build) -> Iterator[tuple[str, EligibilityQuestion]]:
    """For each outcome that occurs, a question that has it: the first person with it for the first such perk."""
    program, day = context.program(build), context.day(build.as_of)
    people = builds.values_of(context.database, build, program)
    flags = pattern_flags.flags_of_everyone(context.database, context.evaluators, build, people["person"].to_list())
    scored = columnar.score(program, nw.from_native(builds.with_flags(people, program, flags)), day)
    answers = [
        columnar.perk(program, perk, scored, nw.lit(amount), day)
        .to_native()
        .select("person", "outcome", pl.lit(perk).alias("perk"), pl.lit(amount).alias("amount"))
        for perk, amount in _example_perks(program)
    ]
    examples = pl.concat(answers).unique(["outcome"], keep="first", maintain_order=True)
    by_outcome = {row["outcome"]: row for row in examples.iter_rows(named=True)}
    for outcome in OUTCOMES:
        if row := by_outcome.get(outcome):
            perk = program.perk(row["perk"])
            currency = perk.currency if perk else ""
            yield (
                outcome,
                EligibilityQuestion(
                    MERCHANT, None, row["person"], row["perk"], row["amount"], currency, asked_at=clock.now()
                ),
            )


def _print_example(
    context: AppContext, outcome: str, question: EligibilityQuestion, steps: ProgressReporter, console: Console
) -> None:
    result, program = answer_question(context, question), context.program(current_build(context))
    console.rule(outcome)
    deposit = f"{present.money(question.amount, program.perk(question.perk))} {question.currency}"
    steps.say(f"The merchant asks: may {question.subject} have `{question.perk}` without the deposit of {deposit}?")
    answer = result.merchant_view() | {"valid_until": clock.iso(result.valid_until)}
    steps.say(f"The merchant sees: {json.dumps(answer, separators=(',', ':'))}")
    steps.say("The person sees:")
    for part in present.decision(program, recorded_inputs(context.database, result.id)):
        steps.say(part)
