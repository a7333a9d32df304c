"""A field may have any name that the checker accepts: no name changes a value or stops a computation."""

import json
import shutil
from pathlib import Path

import pytest

from api.store.database import open_database
from engine.lang.check.evidence import OWN_FIELDS
from tests.api.terminal import environment, run_in_process
from tests.paths import DOCS

# Names of columns that some step of loading, building and measuring has beside those of the events.
NAMES = (
    "row", "line", "all", "behind", "build", "code", "count", "day", "departure", "first", "gap", "highest", "id",
    "key", "last", "m0", "m1", "mean", "moment", "n", "name", "new", "old", "open", "part", "raised", "reason", "resolved",
    "seq", "size", "source", "state", "step", "sum", "target", "thing", "until_then", "v0_sum", "value", "values", "weight",
    "whole", "f0", "c0", "k0",
)  # fmt: skip
RENTAL = DOCS / "examples" / "rental"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The example of a shop, with a field of each name, filled by the number of the hire, and two features of each."""
    shutil.copytree(RENTAL / "rules", tmp_path / "rules")
    (tmp_path / "rules" / "features.cases.yaml").unlink()
    fields = "".join(f"      {name}: {{type: int}}\n" for name in NAMES)
    features = "".join(
        f"  - {{id: rental.sum_{name}, about: {{en: A sum}}, of: [rental.returned, payment.made], where: {name} > 9, "
        f"measure: sum, value: {name}, missing: zero}}\n"
        f"  - {{id: rental.share_{name}, about: {{en: A share}}, of: rental.returned, where: {name} > 200, measure: share}}\n"
        for name in NAMES
    )
    filled = "".join(f"      {name}: Hire No\n" for name in NAMES)
    for file, line, added in (
        ("rules/evidence.yaml", "      damage: {type: money}\n", fields),
        ("rules/features.yaml", "features:\n", features),
        ("map.yaml", "      item: Bike\n", filled),
    ):
        text = (RENTAL / file).read_text(encoding="utf-8")
        assert line in text
        (tmp_path / file).write_text(text.replace(line, line + added), encoding="utf-8")
    shutil.copy(RENTAL / "hires.csv", tmp_path)
    return tmp_path


def test_fields_of_all_names_with_equal_values_have_equal_features(shop: Path) -> None:
    url = f"sqlite:///{shop / 'iftah.db'}"
    env = environment(IFTAH_RULES=str(shop / "rules"), IFTAH_DATABASE_URL=url)
    for command in (("check", "rules"), ("import", "hires.csv"), ("build", "--as-of", "2026-02-03T00:00:00Z")):
        completed = run_in_process(command, env, shop)
        assert completed.returncode == 0, completed.stdout + completed.stderr
    database = open_database(url)
    with database.connect() as connection:
        rows = [json.loads(row[0]) for row in connection.exec_driver_sql('SELECT "values" FROM features')]
    database.dispose()
    assert len(rows) == 49
    for prefix in ("sum", "share"):
        for values in rows:
            assert len({json.dumps(values.get(f"rental.{prefix}_{name}")) for name in NAMES}) == 1, values
    assert len({json.dumps(values["rental.sum_row"]) for values in rows}) > 10


def test_the_other_names_of_columns_are_refused() -> None:
    assert not OWN_FIELDS & set(NAMES)
    assert {"at", "month", "local_time", "match", "disputed", "ended_at", "for_subject", "for_other"} <= OWN_FIELDS
