"""One step changes one line, and a person's other orders limit what a perk gives."""

import narwhals as nw
import polars as pl
import pytest

from engine.changes.comparison import StateProgram, comparison, decided, scored
from engine.changes.rule_changes import rule_changes
from engine.lang.check.release import release_of
from engine.lang.engines import columnar
from engine.lang.engines.columns import dtype
from tests.engine.small_rules import DAY, KINDS, PERSON, SCHEMA, base, base_with

NATIVE = {"Int64": pl.Int64, "String": pl.String, "Boolean": pl.Boolean}


SCOOTER_TIER = "      - {id: scooter.600, when: score >= 600, waive: {up_to: 300 JPY}}\n"
FURTHER_TIER = "      - {id: scooter.500, when: score >= 500, waive: {up_to: 100 JPY}}\n"


@pytest.mark.parametrize(
    ("line", "by"), [("most: 500 JPY", "most: 400 JPY"), (SCOOTER_TIER, SCOOTER_TIER + FURTHER_TIER)]
)
def test_a_change_of_a_perk_leaves_the_other_perks(line: str, by: str) -> None:
    old = release_of(base(), SCHEMA, KINDS).at(DAY)
    new = release_of(base_with("perks.yaml", line, by), SCHEMA, KINDS).at(DAY)
    after = comparison(old, new, rule_changes(old, new)).states[1].program
    assert after.perk("scooter") == new.perk("scooter")
    assert [after.perk(perk) for perk in ("room", "villa")] == [old.perk(perk) for perk in ("room", "villa")]


def test_unpaid_orders_decline_who_would_get_something_and_name_the_limit() -> None:
    program = release_of(base(), SCHEMA, KINDS).at(DAY)
    people = {name: [value] * 5 for name, value in PERSON.items() if name in program.reads}
    people["credit.missed"] = [0, 0, 0, 3, 0]  # the fourth one is knocked out
    people["identity.level"] = [2, 2, 2, 2, 0]  # and the fifth has no score
    columns = [pl.Series(n, values, NATIVE[dtype(SCHEMA[n].type).__name__]) for n, values in people.items()]
    unpaid = [0, 1, None, 1, 1]
    columns += [pl.Series("person.unpaid", unpaid, pl.Int64), pl.Series("person.overdue", [0] * 5, pl.Int64)]
    columns += [pl.Series("person.in_service", [None if n is None else 0 for n in unpaid], pl.Int64)]
    state = StateProgram(program, ())
    frame = scored(state, nw.from_native(pl.DataFrame(columns)).lazy(), DAY)
    result = decided(state, "scooter", frame, nw.lit(300), DAY, reason=True).collect()
    assert result["outcome"].to_list() == ["ADMIT", "DECLINE", "ADMIT", "DECLINE", "UNSCORABLE"]
    assert result["waived"].to_list() == [300, 0, 300, 0, 0]
    reasons = result[columnar.REASONS[0]].to_list()
    assert reasons[1] == "overdue"
    assert "overdue" not in (reasons[0], *reasons[2:])
