"""Metrics of a running server, in Prometheus' text format.

We count in the process, or in shared files if several processes serve. We read the database's figures at each request for metrics.
Labels are bounded: route templates, codes and outcomes, never a merchant or a person.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from api.features import refresh
from api.orders import messages
from api.releases.activation_steps import FULL_SHARE
from api.releases.in_force import trial_of
from api.releases.release_states import ReleaseState
from api.runtime.context import AppContext
from api.store.database import reading
from api.store.tables import DAY_DIGESTS
from engine.errors import IftahError

log = logging.getLogger("iftah")

MULTIPROC_DIR_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"  # the folder of the shared files of several processes
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
REGISTRY: Final = CollectorRegistry()
REQUESTS: Final = Counter(
    "iftah_requests", "requests answered", ("method", "route", "status", "code"), registry=REGISTRY
)
REQUEST_SECONDS: Final = Histogram(
    "iftah_request_seconds", "seconds to an answer", ("method", "route"), buckets=BUCKETS, registry=REGISTRY
)
ANSWERS: Final = Counter("iftah_answers", "answers about eligibility, by outcome", ("outcome",), registry=REGISTRY)


def count_answer(outcome: str) -> None:
    """Count an answer to a merchant."""
    ANSWERS.labels(outcome).inc()


@dataclass(frozen=True)
class RouteLatency:
    """The answers of a route since the server started, and estimated quantiles of their seconds; None: slower than we measure."""

    method: str
    route: str
    requests: int
    median: float | None
    p95: float | None
    p99: float | None


def latencies() -> list[RouteLatency]:
    """The latencies of all routes that were asked, the most asked first. By processes together, if several serve."""
    buckets = defaultdict[tuple[str, str], dict[float, float]](dict)
    for family in _registry().collect():
        if family.name == "iftah_request_seconds":
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    labels = sample.labels
                    buckets[labels["method"], labels["route"]][float(labels["le"])] = sample.value
    rows = [
        RouteLatency(*names, int(max(counts.values())), *(_quantile(counts, share) for share in (0.5, 0.95, 0.99)))
        for names, counts in buckets.items()
    ]
    return sorted((row for row in rows if row.requests), key=lambda row: (-row.requests, row.route, row.method))


def _quantile(counts: Mapping[float, float], share: float) -> float | None:
    """The quantile of cumulative counts by upper bound, linear within a bucket, as Prometheus' `histogram_quantile` has it."""
    bounds = sorted(counts)
    rank, low, below = counts[bounds[-1]] * share, 0.0, 0.0
    for bound in bounds:
        if counts[bound] >= rank and counts[bound] > below:
            return low + (bound - low) * (rank - below) / (counts[bound] - below) if bound < inf else None
        low, below = bound, counts[bound]
    return None


def _registry() -> CollectorRegistry:
    """What this process counted, or several processes together."""
    if not os.environ.get(MULTIPROC_DIR_VARIABLE):
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def text(context: AppContext, refresh_problem: str | None, now: datetime) -> bytes:
    """All metrics at `now`. If the database does not answer, the text has `iftah_database_up 0`."""
    live = CollectorRegistry()
    live.register(_LiveGauges(context, refresh_problem, now))
    return generate_latest(_registry()) + generate_latest(live)


class _LiveGauges(Collector):
    """The gauges that we read at each request for metrics."""

    def __init__(self, context: AppContext, refresh_problem: str | None, now: datetime) -> None:
        self.context, self.refresh_problem, self.now = context, refresh_problem, now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        release = GaugeMetricFamily("iftah_release", "the release in force, by its label", labels=["release"])
        release.add_metric([self.context.release.id], 1)
        yield release
        yield _gauge(
            "iftah_rules_refused", "whether a changed rules folder was rejected", self.context.rejection is not None
        )
        yield from self._releases()
        yield _gauge(
            "iftah_refresh_stuck",
            "whether a problem keeps this server from refreshing rows",
            bool(self.refresh_problem),
        )
        try:
            yield from [*self._features(), *self._outbox(), *self._digests()]
        except IftahError as error:
            if error.code != "not_ready":  # there is no build yet
                log.error("metrics: %s", error)
                yield _gauge("iftah_database_up", "whether the database answers", 0)
                return
        yield _gauge("iftah_database_up", "whether the database answers", 1)

    def _releases(self) -> Iterator[GaugeMetricFamily]:
        """By the log that this server follows; without one, no release came into force by a proposal."""
        state = self.context.log or ReleaseState()
        active, trial = state.in_force, trial_of(state)
        proposal = active.proposal if active else None
        yield _gauge(
            "iftah_break_glass", "whether one person put the release in force alone", state.ends_at is not None
        )
        yield _gauge("iftah_release_proposal", "the number of the proposal in force; 0: none", proposal or 0)
        yield _gauge(
            "iftah_trial_proposal", "the number of the proposal on trial; 0: none", trial.number if trial else 0
        )
        yield _gauge(
            "iftah_trial_share", "the share of people on trial, of 1", trial.share / FULL_SHARE if trial else 0
        )

    def _features(self) -> Iterator[GaugeMetricFamily]:
        lag = refresh.lag(self.context.database, self.now)
        build = lag.build
        newest = max(build.computed_at, build.refreshed_at or build.computed_at)
        about = "seconds since a person's row was last computed"
        yield _gauge("iftah_features_age_seconds", about, (self.now - newest).total_seconds())
        about = "seconds since the features of the whole graph were computed"
        yield _gauge("iftah_build_age_seconds", about, (self.now - build.computed_at).total_seconds())
        yield _gauge("iftah_people", "people in the build in force", build.people)
        yield _gauge("iftah_events_behind", "events that no row takes into account yet", lag.events)
        yield _gauge("iftah_events_behind_seconds", "seconds since the oldest of them was recorded", lag.seconds)
        yield _gauge("iftah_people_put_off", "people whose refresh is deferred", lag.people)

    def _outbox(self) -> Iterator[GaugeMetricFamily]:
        with reading(self.context.database) as connection:
            outbox = messages.count_outbox(connection, self.now)
        yield _gauge("iftah_outbox_waiting", "callbacks that wait to be sent", outbox.waiting)
        yield _gauge("iftah_outbox_oldest_seconds", "seconds that the oldest of them waits", outbox.oldest_seconds)
        yield _gauge("iftah_outbox_failed", "callbacks that were given up", outbox.failed)

    def _digests(self) -> Iterator[GaugeMetricFamily]:
        with reading(self.context.database) as connection:
            last = connection.execute(select(func.max(DAY_DIGESTS.c.day))).scalar()
        yield _gauge("iftah_digest_day", "the last day with a digest, counted from 1970-01-01; 0: none", last or 0)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=float(value))
