"""Measure every page, and the lists of the API, with a million people and a million decisions: `python -m tests.limits.operator_pages [COUNT]`.

A walk finds the pages of operators, merchants, people and supervisors (`page_walk.py`). The limits of a page's first byte are 200 ms in the
median and 500 ms in the 99th percentile, on two cores. We ask in process and count the whole answer, so a page is no faster than it looks.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, text

from api.evidence import contributor_sums, ledger
from api.features import builds, population
from api.http.app import create_app
from api.releases import releases
from api.runtime.context import AppContext
from api.store import clock
from api.store.clock import micros
from api.store.database import open_database, reading, writing
from api.store.tables import DECISIONS, MESSAGES, ORDER_MOVES, ORDERS
from api.supervision import daily_sums
from engine.decide.evaluators import Evaluators
from graph.datasets.town import town
from tests.bench.decide import shipped_release
from tests.bench.swap import PEOPLE, ROWS, changed_release, fill, fill_decisions
from tests.limits.page_walk import PageReader, merchant_starts, operator_starts, reader, unmet_routes, walk

DAYS: Final = 90
ASKS: Final = 100  # of each address
MEDIAN_SECONDS, RARE_SECONDS = 0.2, 0.5
MERCHANT, SERVICE, PERSON, OBJECTOR = "m-0", "s", "p-000000010", "p-000000011"
_CONTENT: Final = """{"decision_id": "0", "need_user_confirm": false, "out_order_no": "o-%s", "post_payments": [{"amount": 9000, "name": "Room"}],
"risk_fund": {"amount": 100000, "name": "DEPOSIT"}, "service": "s", "service_introduction": "Room",
"time_range": {"start_time": "2026-11-03T04:00:00+00:00", "end_time": "2026-11-05T16:20:00+00:00"}}"""
API_ADDRESSES: Final = (
    "/v1/today",
    "/v1/monitor?days=30",
    "/v1/monitor?days=90",
    "/v1/monitor/population",
    "/v1/evidence/contributors",
    "/v1/evidence/submissions",
    "/v1/callers/tokens",
    "/v1/callers/services",
    "/v1/callers/callbacks",
    "/v1/features",
    "/v1/people?starts=p",
    "/v1/audit/decisions",
    "/v1/audit/decisions?merchant=nobody",
    "/v1/audit/decisions?perk=hotel&outcome=DECLINE",
    "/v1/audit/decisions?to=2020-01-01T00:00:00Z",
)
# Pages that this database has no content for. `page_weights.py` measures them in the demo, where they are small.
EMPTY: Final = {
    "/releases/{number}": "no proposal",
    "/releases/{number}/progress": "no proposal",
    "/releases/{number}/guards": "no proposal",
    "/audit/changes/{number}": "no proposal",
}


def spread(url: str, count: int) -> None:
    """Let the decisions lie within the last days, make an order of each tenth one that ended, and a callback of each hundredth."""
    database, now = open_database(url), micros(clock.now())
    step = DAYS * 86_400_000_000 // count
    with writing(database) as connection:
        for table in ("decisions", "decision_subjects"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_refuse_update"))
        connection.execute(DECISIONS.update().values(decided_at=now - (count - DECISIONS.c.seq) * step))
        connection.execute(text("UPDATE decisions SET id = printf('%032x', seq)"))
        for start in range(1, count // 10 + 1, ROWS):
            numbers = range(start, min(start + ROWS, count // 10 + 1))
            at = {n: now - (count - 10 * n) * step for n in numbers}
            orders = [
                {
                    **{
                        "id": f"o-{n}",
                        "merchant": f"m-{n % 50}",
                        "out_order_no": f"o-{n}",
                        "service": "s",
                        "perk": "hotel",
                    },
                    **{"service_version": 1, "decision": f"{10 * n:032x}", "currency": "CNY", "mode": "waive_first"},
                    **{"waived": 1, "state": "settled", "created_at": at[n], "changed_at": at[n], "disputed": False},
                    **{"content": _CONTENT % n, "digest": "", "subject": f"p-{n % count:09}"},
                }
                for n in numbers
            ]
            moves = [
                {
                    **{"order": f"o-{n}", "action": "pay", "digest": "", "before": "due", "at": at[n]},
                    **{"after": "overdue" if n % 9 == 0 else "settled"},
                }
                for n in numbers
            ]
            messages = [
                {
                    **{"id": f"msg_{n:032x}", "merchant": f"m-{n % 50}", "order": f"o-{n}", "event": "order.paid"},
                    **{"url": "https://inn.example/hook", "body": "{}", "created_at": at[n], "next_at": at[n]},
                    **{"attempts": 3, "state": "failed" if n % 100 == 0 else "sent"},
                }
                for n in numbers
                if n % 10 == 0
            ]
            connection.execute(insert(ORDERS), orders)
            connection.execute(insert(ORDER_MOVES), moves)
            connection.execute(insert(MESSAGES), messages)
    ledger.append(database, _renamed(pl.concat(list(town(500, seed=1).events()))), clock.now())
    with writing(database) as connection:
        connection.execute(
            text("UPDATE decision_subjects SET subject = printf('p-%09d', seq % :count)"), {"count": count}
        )
        own = text(
            "UPDATE decision_subjects SET subject = :person WHERE seq % 1000 = 7"
        )  # a person with many decisions
        connection.execute(own, {"person": PERSON})
        connection.execute(text("UPDATE builds SET seq = (SELECT max(seq) FROM events)"))  # which the build has read
    for release in (changed_release(), shipped_release()):
        releases.record_release(database, release, now)
    database.dispose()


def _renamed(events: pl.DataFrame) -> pl.DataFrame:
    """The town's people under the names that the build has."""
    names = (pl.col("subject"), pl.col("other"))
    return events.with_columns(
        pl.when(name.str.starts_with("p-"))
        .then(pl.lit("p-") + name.str.slice(2).str.zfill(9))
        .otherwise(name)
        .alias(column)
        for column, name in zip(("subject", "other"), names, strict=True)
    )


def seconds_of(work: Callable[[], object]) -> float:
    """The seconds that the work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def count_everything(context: AppContext) -> dict[str, float]:
    """Count what the job and the build count, and say how long each takes."""

    def sums() -> None:
        while daily_sums.add_new(context.database, context.release.timezone):
            pass
        while contributor_sums.add_new(context.database):
            pass

    def bins() -> None:
        build = builds.latest_build(context.database)
        assert build is not None
        program = context.program(build)
        values = builds.values_of(context.database, build, program)
        rows = builds.score_rows(values, program, build, {})
        begin = time.perf_counter()
        counts = population.count_people(program, values, rows)
        took["bins alone"] = time.perf_counter() - begin
        with writing(context.database) as connection:
            population.store(connection, build.id, program.release, counts)

    took = {"sums": seconds_of(sums)}
    took["build with bins"] = seconds_of(bins)
    return took


def readers(context: AppContext, client: TestClient) -> list[tuple[PageReader, list[str]]]:
    """Each role with the pages that it reaches."""
    with reading(context.database) as connection:
        own = text(
            "SELECT d.id FROM decisions d JOIN decision_subjects s ON s.seq = d.seq WHERE s.subject = :person LIMIT 1"
        )
        decision = str(connection.execute(own, {"person": PERSON}).scalar_one())
    parties = (("operator", "mei"), ("merchant", MERCHANT), ("subject", PERSON), ("supervisor", "sun"))
    operator, merchant, person, supervisor = (reader(context, client, role, party) for role, party in parties)
    client.put(f"/v1/services/{SERVICE}", json={"perk": "hotel"}, headers=merchant.headers).raise_for_status()
    _open_cases(context, client, person, decision)
    starts = {
        operator: operator_starts(operator, PERSON, decision),
        merchant: merchant_starts(merchant, SERVICE, PERSON),
        person: (),
        supervisor: (),
    }
    pages = {one: list(walk(one, own_starts)) for one, own_starts in starts.items()}
    unmet = unmet_routes([page for own_pages in pages.values() for page in own_pages]) - set(EMPTY)
    assert unmet == set(), f"not reached: {unmet}"
    by_reader = [(one, [page.address for page in own_pages]) for one, own_pages in pages.items()]
    return [*by_reader, (operator, list(API_ADDRESSES))]


def _open_cases(context: AppContext, client: TestClient, person: PageReader, decision: str) -> None:
    """A review, and an objection of somebody else: it puts off that person's score. And a load of one event."""
    person.post("/v1/me/reviews", {"decision_id": decision})
    objector = reader(context, client, "subject", OBJECTOR)
    item = client.get("/v1/me/evidence", headers=objector.headers).json()["items"][0]
    objector.post("/v1/me/disputes", {"contributor": item["contributor"], "event_id": item["event_id"]})
    contributor = reader(context, client, "contributor", "bank")
    contributor.post("/v1/events", [{"kind": "no.such", "event_id": "1", "subject": OBJECTOR}])


def measure(person: PageReader, address: str) -> tuple[float, float, int]:
    """The median and the 99th percentile of the seconds of an address, and its bytes."""
    times, size = [], 0
    for _ in range(ASKS):
        begin = time.perf_counter()
        answer = person.get(address)
        times.append(time.perf_counter() - begin)
        size = len(answer.content)
        assert answer.status_code == 200, answer.text
    times.sort()
    return times[ASKS // 2], times[-2], size


def main() -> None:
    """Print the figures, the slowest first."""
    people = int(sys.argv[1]) if sys.argv[1:] else PEOPLE
    console, rows = Console(width=140), list[tuple[float, float, int, str, str]]()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'pages.db'}"
        fill(url, people)
        fill_decisions(url, people)
        spread(url, people)
        context = AppContext(open_database(url), Evaluators(shipped_release()))
        for name, seconds in count_everything(context).items():
            console.print(f"{name}: {seconds:.1f} s")
        for person, addresses in readers(context, TestClient(create_app(context))):
            rows += [(*measure(person, address), person.role, address) for address in addresses]
        with reading(context.database) as connection:
            count = connection.execute(text("SELECT count(*) FROM answer_sums")).scalar()
        context.evaluators.close()
        context.database.dispose()
    console.print(_table(rows, people), f"{len(rows)} addresses; {count} rows of sums")


def _table(rows: list[tuple[float, float, int, str, str]], people: int) -> Table:
    goals = f"goal {MEDIAN_SECONDS * 1e3:.0f} / {RARE_SECONDS * 1e3:.0f} ms"
    title = f"{people:,} people and decisions, {goals}"
    table = Table("role", "address", "median ms", "99 % ms", "kB", "", title=title, title_justify="left")
    for median, rare, size, role, address in sorted(rows, reverse=True):
        note = "" if median <= MEDIAN_SECONDS and rare <= RARE_SECONDS else "over"
        table.add_row(role, address[:80], f"{median * 1e3:.0f}", f"{rare * 1e3:.0f}", f"{size / 1e3:.0f}", note)
    return table


if __name__ == "__main__":
    main()
