"""Completion: what fits at a place, also inside conditions. The files are the shipped ones, so the names are those of `rules/`."""

import pytest

from engine.authoring.completion import Completion, complete
from tests.engine.authoring.cursors import cursor_in, shipped_names

CARD = "kind: scorecard\n"
ITEM = CARD + "characteristics:\n  - id: a\n    "
WHEN = CARD + "scorable:\n  when: "
TIER = "kind: perks\nperks:\n  - id: apartment\n    tiers:\n      - {id: a, "
FEATURE = "kind: features\nfeatures:\n  - id: x.y\n    of: payment.made\n    "
CASE = "kind: cases\ncases:\n  - name: x\n    "


def completion(text: str, file: str = "trust.yaml") -> Completion:
    return complete(shipped_names(), file, *cursor_in(text))


def labels(text: str, file: str = "trust.yaml") -> list[str]:
    return [option.label for option in completion(text, file).options]


@pytest.mark.parametrize(
    ("text", "included", "excluded"),
    [
        ("ki|", "kind", "score"),
        ("kind: |", "scorecard", "kind"),
        (CARD + "|", "characteristics", "kind"),
        (ITEM + "fe|", "feature", "id"),
        (ITEM + "feature: cre|", "credit.kept", "too_little_known"),
        (ITEM + "reason: |", "too_little_known", "credit.kept"),
        (ITEM + "dimension: |", "capacity", "poor"),
        (WHEN + "|", "credit.kept", "and"),
        (WHEN + "|", "watch.missed_thrice", "score"),
        (WHEN + "|", "missing", "lists.pilot_cities"),
        (WHEN + "credit.kept |", ">=", "credit.kept"),
        (WHEN + "credit.kept >= |", "credit.missed", ">="),
        (WHEN + "credit.kept >= 1 |", "and", ">="),
        (WHEN + "credit.kept >= 1 and |", "credit.missed", "or"),
        (WHEN + "missing(|", "credit.missed", "and"),
        (TIER + "w|", "waive", "id"),
        (TIER + "when: |", "request.city", "request.nights"),
        (TIER + "when: |", "score", "perks"),
        (TIER + "when: request.city in |", "lists.pilot_cities", "credit.kept"),
        (FEATURE + "where: |", "category", "credit.kept"),
        (FEATURE + "where: category == |", "'wage'", "and"),
        (FEATURE + "where: category in ['wa|", "wage", "'wage'"),
        (FEATURE + "value: |", "amount", "identity_level"),
        (FEATURE + "less: [|", "payment.refunded", "amount"),
        (FEATURE + "measure: |", "longest_gap", "none"),
        (FEATURE + "direction: higher |", "higher is better", "higher"),
        (FEATURE + "formula: |", "credit.kept", "category"),
        ("kind: watch\nflags:\n  - id: a\n    steps:\n      - {event: |", "obligation.missed", "amount"),
        ("kind: watch\nflags:\n  - id: a\n    steps:\n      - {event: payment.made, where: |", "amount", "due"),
        ("kind: orders\nmoves:\n  - id: x\n    to: |", "settled", "order.state"),
        ("kind: orders\nmoves:\n  - id: x\n    when: order.state == |", "'settled'", "settled"),
        (CASE + "expect: {outcome: |", "DECLINE", "poor"),
        (CASE + "expect: {reasons: [|", "promises_missed", "DECLINE"),
        (CASE + "expect: {raised: [|", "missed_thrice", "watch.missed_thrice"),
        (CASE + "given: {|", "credit.kept", "name"),
        (CASE + "perk: |", "hotel", "credit.kept"),
        (CASE + "events:\n      - {event: payment.made, with: {|", "amount", "event"),
    ],
)  # fmt: skip
def test_the_options_fit_the_place(text: str, included: str, excluded: str) -> None:
    options = labels(text)
    assert included in options
    assert excluded not in options


@pytest.mark.parametrize("text", [CARD + "# note |", CARD + "nothing_known:\n  - |", CARD + "score: {lowest: |"])
def test_where_we_know_nothing_there_are_no_options(text: str) -> None:
    assert labels(text) == []


def test_definitions_belong_to_their_file() -> None:
    assert "has_credit" in labels(WHEN + "|", "trust.yaml")
    assert "has_credit" not in labels(WHEN + "|", "perks.yaml")


def test_the_options_replace_what_you_typed() -> None:
    assert (completion(WHEN + "credit.kept >= 1 and cre|").line, completion(WHEN + "a and cre|").column) == (3, 15)
    assert completion(FEATURE + "direction: higher |").column == 16
    required, optional = (next(o for o in completion(ITEM + "|").options if o.label == w) for w in ("cuts", "from"))
    assert (required.apply, required.boost, optional.boost) == ("cuts: ", 1, 0)


def test_options_carry_their_meaning_in_your_language() -> None:
    feature = next(o for o in completion(ITEM + "feature: |").options if o.label == "credit.kept")
    assert (feature.detail, feature.lines) == ("int promises", ("Promises that were kept",))
    chinese = complete(shipped_names("zh"), "trust.yaml", *cursor_in(ITEM + "reason: |"))
    reason = next(o for o in chinese.options if o.label == "too_little_known")
    assert "信息" in reason.lines[0]


def test_a_name_that_the_draft_just_got_is_there() -> None:
    from api.releases.catalogue import kinds, schema
    from engine.authoring.names import names_of
    from engine.lang.check.release import release_of
    from tests.engine.authoring.cursors import shipped_texts

    files = dict(shipped_texts())
    program = release_of(files, schema(), kinds()).programs[-1]
    files["reasons.yaml"] += "  brand_new:\n    en: A new reason\n    zh: 新的理由\n"
    names = names_of(program, files, kinds(), {}, "en")
    options = complete(names, "trust.yaml", *cursor_in(ITEM + "reason: |")).options
    assert ("brand_new", ("A new reason",)) in [(o.label, o.lines) for o in options]
