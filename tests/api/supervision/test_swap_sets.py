"""Whom a change of rules moves, from the database: the stored rows, computed features, flags, and the command."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from sqlalchemy import Engine, update

from api.evidence import ledger
from api.features import builds
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store.database import open_database, writing
from api.store.tables import BUILDS, SCORES
from api.supervision.swap_sets import SwapQuestion, compare_everyone
from engine.changes.swap_report import SwapReport
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from graph.datasets.town import END
from graph.datasets.town import town as small_town
from iftah.catalogue import kinds, schema
from tests.api.database_templates import Template, create_database, discard_database, url_of
from tests.api.terminal import environment, run_in_process, terminal_output
from tests.api.town import NOW, shipped_release
from tests.paths import RULES

CAR = "when: score >= 650, waive: {up_to: 8000 CNY}"


def changed(file: str, *pairs: tuple[str, str]) -> Release:
    """The shipped rules with texts of a file replaced."""
    text = shipped_release().files[file]
    for replace, by in pairs:
        assert text.count(replace) == 1
        text = text.replace(replace, by)
    return release_of({**shipped_release().files, file: text}, schema(), kinds())


def compare(context: AppContext, new: Release, **options: object) -> SwapReport:
    question = SwapQuestion(shipped_release(), new, **options)  # type: ignore[arg-type]
    return compare_everyone(context.database, question, lambda _count, _total: None)


def compare_in_chunks(database: Engine, new: Release) -> tuple[SwapReport, list[tuple[int, int | None]]]:
    """Compare everyone, seven people at once. Returns the report, and what the progress was told."""
    steps = list[tuple[int, int | None]]()
    question = SwapQuestion(shipped_release(), new, sample=5, by_contributor=True)
    return compare_everyone(database, question, lambda *step: steps.append(step), chunk=7), steps


def test_every_person_of_the_build_is_counted_with_the_stored_score(town: AppContext) -> None:
    report = compare(town, changed("perks.yaml", (CAR, CAR.replace("650", "640"))), sample=3)
    scores = builds.scores(town.database, builds.latest_build(town.database))  # type: ignore[arg-type]
    assert report.bands
    assert report.bands.total == scores.height
    assert dict(report.bands.matrix) == {
        (b or "none", b or "none"): n for b, n in scores["band"].value_counts().iter_rows()
    }
    car = next(perk for perk in report.perks if perk.name == "car")
    between = scores.filter((scores["score"] >= 640) & (scores["score"] < 650))
    assert 0 < car.moved_total <= between.height  # fewer, where a knock-out declines
    assert {p.person for p in car.sample} <= set(between["person"])
    assert set(car.by_account) == {("tier car.650", "more")}
    assert report.changes == ("tier car.650",)


def test_flags_count_whether_they_are_stored_or_not(town: AppContext) -> None:
    new = changed("perks.yaml", ("watch.missed_thrice\n", "watch.missed_thrice or credit.missed_12m >= 2\n"))
    stored = compare(town, new).as_dict()
    with writing(town.database) as connection:
        connection.execute(update(SCORES).values(release="another", flags="{}"))
    assert compare(town, new).as_dict() == stored


def test_a_pattern_that_changes_has_its_own_account(town: AppContext) -> None:
    old = shipped_release()
    text = (
        old.files["watch.yaml"]
        .replace("times: 3", "times: 1")
        .replace("within: 30d", "within: 3000d")
        .replace("lasts: 180d", "lasts: 9000d")
    )
    new = release_of({**old.files, "watch.yaml": text}, schema(), kinds())
    report = compare(town, new)
    accounts = {name for perk in report.perks for name, _ in perk.by_account}
    assert accounts == {"flag missed_thrice"}


def test_a_feature_that_changes_is_computed_by_both_definitions(town: AppContext) -> None:
    text = shipped_release().files["features.yaml"]
    start = text.index("id: behaviour.payments\n")
    part = text[start : text.index("- id:", start)]
    assert "months: 24" in part
    files = {**shipped_release().files, "features.yaml": text.replace(part, part.replace("months: 24", "months: 1"))}
    new = release_of(files, schema(), kinds())
    report = compare(town, new)
    assert report.changes == ("feature behaviour.payments",)
    assert report.bands
    assert set(report.bands.by_account) <= {("feature behaviour.payments", d) for d in ("more", "less")}
    assert report.bands.moved_total > 0


NEW_PATTERN = """
  - id: paid_twice
    about: Paid at least twice within ten years
    steps:
      - {event: obligation.paid, times: 2}
    within: 3650d
    lasts: 3650d
"""


def test_a_new_pattern_counts_whether_the_features_are_stored_or_computed(town: AppContext) -> None:
    old = shipped_release()
    files = {**old.files, "watch.yaml": old.files["watch.yaml"].rstrip() + NEW_PATTERN}
    knockout = "watch.missed_thrice\n"
    assert files["perks.yaml"].count(knockout) == 1
    files["perks.yaml"] = files["perks.yaml"].replace(knockout, "watch.missed_thrice or watch.paid_twice\n")
    new = release_of(files, schema(), kinds())
    stored = compare(town, new).as_dict()
    assert any(perk["moved"] for perk in stored["perks"])
    with writing(town.database) as connection:
        connection.execute(update(BUILDS).values(catalogue="another"))
    assert compare(town, new).as_dict() == stored


def test_the_report_does_not_depend_on_the_size_of_the_chunks(town: AppContext) -> None:
    new = changed("trust.yaml", ("base: 480", "base: 500"))
    report, steps = compare_in_chunks(town.database, new)
    assert report.as_dict() == compare(town, new, sample=5, by_contributor=True).as_dict()
    people = report.bands.total if report.bands else 0
    assert steps == [(min(count, people), people) for count in range(7, people + 7, 7)]


# English sorts a, A, ä, b, B-, É, z-, Z. By bytes, capitals come first, and letters with accents last.
PREFIXES = ("a", "A", "ä", "Z", "z-", "É", "B-", "b")


@pytest.fixture(params=["sqlite", "a sorting PostgreSQL"])
def sorting_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A scored town whose people's ids sort in another order by bytes than in English."""
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
        fill_with_prefixes(database)
        yield database
        database.dispose()
        return
    server = request.getfixturevalue("postgres")
    name = create_database(server, "template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    database = open_database(url_of(server, name))
    fill_with_prefixes(database)
    yield database
    database.dispose()
    discard_database(server, name)


def fill_with_prefixes(database: Engine) -> None:
    events = pl.concat(list(small_town(60, seed=5).events()))
    people = sorted(set(events["subject"]))
    names = {person: f"{PREFIXES[n % len(PREFIXES)]}{person}" for n, person in enumerate(people)}
    events = events.with_columns(pl.col("subject", "other").replace(names))
    ledger.append(database, events, NOW)
    context = AppContext(database, Evaluators(shipped_release()))
    score_everyone(context, builds.build_features(database, END, "perks", NOW, release=shipped_release()))
    context.evaluators.close()


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "computed"])
def test_everyone_counts_once_by_contributor_in_whatever_order_the_database_sorts(
    sorting_database: Engine, is_stored: bool
) -> None:
    build = builds.latest_build(sorting_database)
    people = set(builds.people_of(sorting_database, build))
    events = ledger.read(sorting_database, known_at=build.known_at)
    pairs = events.filter(pl.col("subject").is_in(list(people))).select("subject", "contributor").unique()
    expected = dict(pairs["contributor"].value_counts().iter_rows())
    if not is_stored:
        with writing(sorting_database) as connection:
            connection.execute(update(BUILDS).values(catalogue="another"))
    report, _ = compare_in_chunks(sorting_database, changed("trust.yaml", ("base: 480", "base: 500")))
    assert report.bands
    assert report.bands.total == len(people)
    assert all(perk.group_sizes["contributor"] == expected for perk in report.perks)
    assert all(perk.sample == sorted(perk.sample, key=lambda person: person.person) for perk in report.perks)


def test_features_computed_again_as_of_the_build_are_those_that_are_stored(town: AppContext) -> None:
    build = builds.build_features(town.database, END, "perks", NOW, release=shipped_release())
    score_everyone(town, build)
    new = changed("trust.yaml", ("base: 480", "base: 490"))
    stored = compare(town, new).as_dict()
    with writing(town.database) as connection:
        connection.execute(update(BUILDS).values(catalogue="another"))
    assert compare(town, new).as_dict() == stored
    assert stored["bands"]["total"] == build.people > 0


def test_another_time_zone_is_a_change_of_its_own(town: AppContext) -> None:
    zone = shipped_release().timezone
    report = compare(town, changed("policy.yaml", (f"timezone: {zone}", "timezone: Pacific/Kiritimati")))
    assert report.changes == ("timezone",)


def test_everyone_as_of_a_past_day_is_known_as_then(town: AppContext) -> None:
    report = compare(town, changed("trust.yaml", ("base: 480", "base: 490")), as_of=END.replace(year=END.year - 1))
    assert report.bands
    assert report.as_of.startswith(str(END.year - 1))
    assert report.bands.total == 0  # the town's events were recorded after its last day


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("old", "new"):
        shutil.copytree(RULES, tmp_path / name)
    path = tmp_path / "new" / "perks.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(CAR, CAR.replace("650", "640")), encoding="utf-8")
    return tmp_path


def diff(town: AppContext, folders: Path, *args: str) -> str:
    url = town.database.url.render_as_string(hide_password=False)
    result = run_in_process(
        ("diff", *args, "--database", url), environment(IFTAH_RULES=str(folders / "old"), COLUMNS="120")
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_command_shows_the_differences_and_whom_they_move(town: AppContext, folders: Path) -> None:
    output = diff(town, folders, str(folders / "old"), str(folders / "new"), "--by-contributor")
    assert "perks.yaml perks car tiers car.650 when: score >= 650 -> score >= 640\n" in output
    assert "people are moved, each asked for 25,000.00 CNY" in output
    assert "tier car.650" in output
    assert "by contributor" in output
    assert "a sample" not in output


def test_the_command_takes_a_stored_release_by_the_beginning_of_its_id(town: AppContext, folders: Path) -> None:
    report = json.loads(diff(town, folders, shipped_release().id[:12], str(folders / "new"), "--format", "json"))
    assert report["old"] == shipped_release().id
    assert [perk["name"] for perk in report["perks"]] == ["hotel", "car", "bicycle", "power_bank", "apartment"]
    assert sum(row["count"] for row in report["perks"][1]["matrix"]) == report["perks"][1]["total"]


def test_the_page_is_one_file_with_the_same_tables(town: AppContext, folders: Path) -> None:
    page = diff(town, folders, str(folders / "old"), str(folders / "new"), "--format", "html", "--amount", "car=5000")
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    captions = [node.text for node in tree.iter("caption")]
    assert "people by outcome: old in rows, new in columns" in captions
    assert "each asked for 5,000.00 CNY" in page
    assert not [node for tag in ("script", "link", "img") for node in tree.iter(tag)]


def test_a_terminal_shows_a_bar_while_people_are_compared(folders: Path, town_template: Template) -> None:
    shutil.copy(town_template.file, folders / "town.db")
    places = ("diff", str(folders / "old"), str(folders / "new"), "--database", f"sqlite:///{folders / 'town.db'}")
    output = terminal_output(folders, places, environment(TERM="xterm", COLUMNS="120"))
    count = re.search(r"comparing .*?(\d+)/(\d+)", output)
    assert count
    assert "people are moved" in output


def test_the_files_alone_need_no_database(folders: Path) -> None:
    env = environment(IFTAH_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    result = run_in_process(("diff", str(folders / "old"), str(folders / "new"), "--files-only"), env)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1:] == ["  perks.yaml perks car tiers car.650 when: score >= 650 -> score >= 640"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("abc", "rules"), "there is no such folder or release"),
        (("0" * 12, "rules"), "there is no such folder or release"),
        (("--amount", "yacht=5"), "unknown perk in `yacht=5`"),
        (("--amount", "car=5000000"), "`5000000` is not an amount of `car`"),
        (
            ("--since", "2001-01-01T00:00:00Z", "--until", "2001-01-02T00:00:00Z"),
            "no decision was recorded in this period",
        ),
    ],
)
def test_what_the_command_cannot_do_is_one_line(
    town: AppContext, folders: Path, args: tuple[str, ...], message: str
) -> None:
    url = town.database.url.render_as_string(hide_password=False)
    places = () if args[0] in ("abc", "0" * 12) else (str(folders / "old"), str(folders / "new"))
    words = (*places, *(str(folders / "new") if word == "rules" else word for word in args))
    result = run_in_process(("diff", *words, "--database", url), environment(IFTAH_RULES=str(folders / "old")))
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_same_rules_differ_in_nothing(town: AppContext, folders: Path) -> None:
    path = folders / "old" / "perks.yaml"
    path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    output = diff(town, folders, str(folders / "old"), str(RULES))
    assert output.endswith(": 0 differences\n")
