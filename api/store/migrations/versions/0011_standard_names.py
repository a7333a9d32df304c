"""Tables, columns and features under the field's standard names.

We rename features inside rows. Stored releases and records keep the former names, with which we replay decisions.
Refreshes wait for your next `iftah build`, since a build names its catalogue.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = {
    "departed": "erasure_tombstones",
    "erasing": "erasures_in_progress",
    "house": "system",
    "marks": "deferred_refreshes",
    "monitored": "monitored_attributes",
    "moves": "corrected_parties",
    "waiting": "scheduled_events",
}
COLUMNS = (
    ("builds", "later", "future_events"),
    ("builds", "seen", "events_counted"),
    ("deferred_refreshes", "astray", "stale_classes"),
    ("erasure_tombstones", "left_at", "erased_at"),
    ("system", "erased", "erasures"),
    ("system", "swept", "vacuumed_erasures"),
)
FEATURES = {
    "behaviour.payees_kept": "behaviour.payee_retention",
    "capacity.inflow_share": "capacity.net_inflow_share",
    "capacity.passed_on": "capacity.pass_through_share",
    "capacity.payers": "capacity.distinct_payers",
    "relationships.core": "relationships.core_number",
    "relationships.walk": "relationships.walk_trust",
}
PARTIES = {"events": "OLD.subject, OLD.other", "decision_subjects": "OLD.subject"}


def upgrade() -> None:
    for before, after in TABLES.items():
        op.rename_table(before, after)
    for table, before, after in COLUMNS:
        op.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{before}" TO "{after}"')
    if op.get_bind().dialect.name == "postgresql":  # SQLite renames within triggers by itself
        for table, parties in PARTIES.items():
            _name_erasures_in_trigger(table, parties)
    values = '"values"'
    for before, after in FEATURES.items():
        values = f"""replace({values}, '"{before}":', '"{after}":')"""
    op.execute(f'UPDATE features SET "values" = {values}')


def _name_erasures_in_trigger(table: str, parties: str) -> None:
    erased = f"EXISTS (SELECT 1 FROM erasures_in_progress WHERE person IN ({parties}))"
    op.execute(
        f"CREATE OR REPLACE FUNCTION {table}_refuse_delete() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {erased} THEN RETURN OLD; END IF; RAISE EXCEPTION '{table} is append-only'; END $$"
    )
