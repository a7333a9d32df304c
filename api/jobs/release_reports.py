"""Tell operators by a webhook which release decides: trials, guards that break, activations, ways back.

Each step that they must hear of waits in the state of the log until a `report` step says that it was sent. So a restart loses nothing; a
server that dies between the two sends it once more, with the same `webhook-id`. We sign by Standard Webhooks if there is a key.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

import httpx2
from standardwebhooks import Webhook

from api.jobs.periodic import periodic_task
from api.proposals.actors import THE_SYSTEM
from api.releases.release_log import append, read_state
from api.releases.release_states import ReleaseState
from api.releases.steps import Step
from api.runtime.context import AppContext
from api.settings.settings import settings
from api.store import clock
from api.store.clock import iso, micros, moment
from api.store.database import Database
from engine.errors import Rejected

INTERVAL_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 5.0  # of one message


@contextmanager
def reporting_releases(context: Callable[[], AppContext]) -> Iterator[None]:
    """Tell operators as long as the server runs, if the settings name a webhook."""
    config = settings()
    if not config.operators_webhook:
        yield
        return

    def report() -> None:
        state = context().log
        if state is not None and state.pending:
            report_steps(context().database, config.operators_webhook, config.operators_webhook_secret, clock.now())

    with periodic_task("reports of releases", INTERVAL_SECONDS, report):
        yield


def report_steps(database: Database, url: str, secret: str | None, now: datetime) -> int:
    """Send each step that waits, oldest first. Returns their number. Raises Rejected `not_delivered` at the first failure."""
    steps = read_state(database).pending
    for step in steps:
        _send(url, secret, step, now)
        content = {"step": step.hash}
        report = THE_SYSTEM.step("report", micros(now), step.proposal, content)
        try:
            append(database, partial(_single_step, report))
        except Rejected as error:
            if error.code != "wrong_proposal_state":  # else another worker sent it too
                raise
    return len(steps)


def _single_step(step: Step, _: ReleaseState) -> tuple[Step, ...]:
    return (step,)


def message_of(step: Step) -> dict[str, Any]:
    """What operators read of a step."""
    return {
        "type": f"release.{step.kind}",
        "at": iso(moment(step.at)),
        "proposal": step.proposal,
        "actor": step.actor,
        "reason": step.content.get("reason"),
        "share": step.content.get("share"),
        "step": step.hash,
    }


def _send(url: str, secret: str | None, step: Step, now: datetime) -> None:
    body, name = json.dumps(message_of(step)), f"release-{step.hash[:32]}"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "iftah",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if secret:
        headers["webhook-signature"] = Webhook(secret).sign(name, now, body)
    try:
        with httpx2.Client(trust_env=False, follow_redirects=False, timeout=TIMEOUT_SECONDS) as client:
            status = client.post(url, content=body.encode(), headers=headers).status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise _failure(type(error).__name__.lower()) from None
    if not 200 <= status < 300:
        raise _failure(f"it answered {status}")


def _failure(reason: str) -> Rejected:
    hint = "check IFTAH_OPERATORS_WEBHOOK"
    return Rejected(f"operators were not told: {reason}", where="operators_webhook", hint=hint, code="not_delivered")
