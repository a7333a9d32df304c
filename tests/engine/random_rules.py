"""Generate random valid rule files, and random people with values near the thresholds."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from hypothesis import assume
from hypothesis import strategies as st

from engine.lang.check.release import check
from engine.lang.model.program import Program
from engine.lang.model.types import Attribute, Schema, Type, Value, parse_scaled
from tests.engine.small_rules import DAY

NUMBERS = {
    "a.count": Type("int", 0, (), -20, 1_000),
    "a.other": Type("int", 0, (), 0, 10**12),
    "a.huge": Type("int", 0, (), -(2**53) + 1, 2**53 - 1),
    "b.ratio": Type("decimal", 2, (), -500, 10**9),
    "b.share": Type("decimal", 3, (), 0, 1_000),
    "c.since": Type("date", 0, (), -20_000, 60_000),
}
FLAGS = ("d.flag", "d.sign")
WORDS = {"e.kind": ("red", "green", "blue"), "e.size": ("s", "m")}
SCHEMA: Schema = {
    **{n: Attribute(n, t, "behaviour") for n, t in NUMBERS.items()},
    **{n: Attribute(n, Type("bool"), "behaviour") for n in FLAGS},
    **{n: Attribute(n, Type("enum", 0, v), "behaviour") for n, v in WORDS.items()},
}
ANCHORS = {
    "a.count": ["-20", "0", "3", "7", "1000"],
    "a.other": ["0", "5", "1000000", "1000000000000"],
    "a.huge": ["-9007199254740990", "0", "2147483648", "9007199254740990"],
    "b.ratio": ["-5", "0.85", "1.5", "100.01"],
    "b.share": ["0", "0.5", "0.999", "1"],
    "c.since": ["1996-02-29", "2000-01-01", "1969-12-31"],
}
POLICY = "kind: policy\nforbidden_classes: []\nforbidden_names: []\nrestricted: []\nrelationships: []\nrelationships_share: 5\nalarms: []\ntimezone: UTC\n"
CODES = ["ra", "rb", "rc", "rd", "re", "rf"]
REASONS = "kind: reasons\nlanguages: [en]\nreasons:\n" + "".join(
    f"  {c}: {{en: because {c}}}\n" for c in [*CODES, "thin"]
)

OPS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


@st.composite
def leaves(draw: st.DrawFn, perk: bool) -> str:
    choice = draw(st.integers(0, 8 if perk else 6))
    number = draw(st.sampled_from(sorted(NUMBERS)))
    if choice <= 1:
        return f"{number} {draw(OPS)} {draw(st.sampled_from(ANCHORS[number]))}"
    if choice == 2:
        return draw(st.sampled_from(["known", "missing"])) + f"({draw(st.sampled_from(sorted(SCHEMA)))})"
    if choice == 3:
        flag = draw(st.sampled_from(FLAGS))
        return draw(st.sampled_from([flag, f"{flag} == false", f"{flag} != false"]))
    if choice == 4:
        name = draw(st.sampled_from(sorted(WORDS)))
        words = draw(st.lists(st.sampled_from(WORDS[name]), min_size=1, max_size=3, unique=True))
        among = ", ".join(f"'{w}'" for w in words)
        return draw(
            st.sampled_from(
                [
                    f"{name} == '{words[0]}'",
                    f"{name} != '{words[0]}'",
                    f"{name} in [{among}]",
                    f"{name} not in [{among}]",
                ]
            )
        )
    if choice == 5:
        anchors = draw(st.lists(st.sampled_from(ANCHORS[number]), min_size=1, max_size=3, unique=True))
        return f"{number} {draw(st.sampled_from(['in', 'not in']))} [{', '.join(anchors)}]"
    if choice == 6:
        sums = ["a.count + b.ratio", "a.count * b.share", "b.ratio - b.share * 2", "a.other - a.count", "3 * a.count"]
        right = draw(st.sampled_from(["a.count", "b.ratio", "7", "b.share"]))
        return f"{draw(st.sampled_from(sums))} {draw(OPS)} {right}"
    if choice == 7:
        return f"score {draw(OPS)} {draw(st.sampled_from([350, 500, 600, 700, 950]))}"
    return f"request.amount {draw(OPS)} {draw(st.sampled_from(['100 CNY', '500.00 CNY', '1000 CNY']))}"


def conditions(perk: bool = False) -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        groups = st.lists(inner, min_size=2, max_size=6)
        joined = st.tuples(groups, st.sampled_from([" and ", " or "])).map(lambda g: "(" + g[1].join(g[0]) + ")")
        return joined | inner.map(lambda e: f"not ({e})")

    return st.recursive(leaves(perk), grow, max_leaves=18)


@st.composite
def scorecards(draw: st.DrawFn) -> str:
    text = f"kind: scorecard\nscore: {{lowest: 350, highest: 950, base: {draw(st.integers(351, 949))}}}\n"
    text += f'scorable: {{when: "{draw(conditions())}", reason: thin}}\n'
    text += "bands: [{name: poor, from: 350}, {name: fair, from: 600}, {name: good, from: 700}]\n"
    text += "dimensions: {all: 100}\ncharacteristics:\n"
    points = st.integers(-30, 30)
    count = draw(st.integers(1, 5))
    for n in range(count):
        feature = draw(st.sampled_from(["a.count", "a.other", "a.huge", "b.ratio", "b.share"]))
        cuts = draw(
            st.lists(st.sampled_from(ANCHORS[feature]), min_size=1, unique=True).map(lambda c: sorted(c, key=Decimal))
        )
        bin_points = [draw(points) for _ in range(len(cuts) + 1)]
        text += f"  - {{id: c{n}, feature: {feature}, dimension: all, cuts: [{', '.join(cuts)}], points: {bin_points}, "
        text += f"missing: {draw(points)}, reason: {draw(st.sampled_from(CODES))}"
        text += draw(st.sampled_from(["", f", baseline: {draw(points)}"])) + "}\n"
    text += "rules:\n"
    for n in range(draw(st.integers(1, 4))):
        text += f'  - {{id: r{n}, dimension: all, when: "{draw(conditions())}", points: {draw(points)}, '
        text += f"unknown: {draw(points)}, reason: {draw(st.sampled_from(CODES))}}}\n"
    return text


@st.composite
def perk_files(draw: st.DrawFn) -> str:
    text = "kind: perks\nperks:\n  - id: hotel\n    about: a room\n    currency: CNY\n    most: 5000 CNY\n    valid_hours: 24\n"
    text += f"    partial: {draw(st.sampled_from(['true', 'false']))}\n    knockouts:\n"
    for n in range(draw(st.integers(1, 3))):
        unknown = draw(st.sampled_from(["decline", "pass"]))
        text += f'      - {{id: k{n}, when: "{draw(conditions(True))}", unknown: {unknown}, reason: {draw(st.sampled_from(CODES))}}}\n'
    text += "    tiers:\n"
    tiers = draw(st.lists(conditions(True), min_size=1, max_size=3, unique=True))
    for n, when in enumerate(tiers):
        waive = draw(st.sampled_from(["up_to: 300.50 CNY", "up_to: 1000 CNY", "share: 33", "share: 100"]))
        text += f'      - {{id: t{n}, when: "{when}", waive: {{{waive}}}}}\n'
    return text


@st.composite
def programs(draw: st.DrawFn) -> Program:
    files = {
        "trust.yaml": draw(scorecards()),
        "perks.yaml": draw(perk_files()),
        "reasons.yaml": REASONS,
        "policy.yaml": POLICY,
    }
    release, problems = check(files, SCHEMA)
    assume({p.code for p in problems} != {"R301"})  # a tier that the checker knows to be unreachable
    assert release, problems
    return release.at(DAY)


@dataclass(frozen=True)
class PeopleSample:
    """The same people as rows and as columns, with amounts."""

    seed: int
    rows: list[dict[str, Value | None]]
    amounts: list[int]


def _numbers(name: str) -> list[int | None]:
    type_ = NUMBERS[name]
    anchors = [parse_scaled(a, type_) for a in ANCHORS[name]]
    near = {a + d for a in anchors if a is not None for d in (-1, 0, 1)} | {type_.low, type_.high}
    return [None, *sorted(v for v in near if type_.low <= v <= type_.high)]


CHOICES: dict[str, list[Value | None]] = {
    **{n: list(_numbers(n)) for n in NUMBERS},
    **{n: [None, True, False] for n in FLAGS},
    **{n: [None, *v] for n, v in WORDS.items()},
}
AMOUNTS = [1, 99, 9_999, 10_000, 10_001, 30_050, 30_051, 50_000, 100_000, 500_000]


class ProgramTrial:
    """Rules, and people to decide about. Not a dataclass: Hypothesis would print every field of it."""

    def __init__(self, program: Program, people: PeopleSample) -> None:
        self.program, self.people = program, people

    def __repr__(self) -> str:
        return f"Trial({self.program.release[:8]}, seed {self.people.seed})"


def sample_people(seed: int, count: int) -> PeopleSample:
    """Draw `count` people from a seed. If Hypothesis drew them one by one, that would take longer than the whole test."""
    chooser = Random(seed)
    rows = [{n: chooser.choice(c) for n, c in CHOICES.items()} for _ in range(count)]
    return PeopleSample(seed, rows, [chooser.choice(AMOUNTS) for _ in range(count)])


@st.composite
def trials(draw: st.DrawFn, count: int) -> ProgramTrial:
    """Random rules with `count` random people."""
    return ProgramTrial(draw(programs()), sample_people(draw(st.integers(0, 2**32)), count))
