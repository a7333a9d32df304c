"""The ties in force of a case are those that the graph finds in the same events of one contributor."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.network.build import tie_rows
from iftah.feature_cases import ties_of_case
from tests.effort import by_effort
from tests.graph.features.random_crowds import tie_events
from tests.strategies import frame


@settings(max_examples=by_effort(30, 500), deadline=None)
@given(st.lists(tie_events(), min_size=1, max_size=20))
def test_a_case_has_the_ties_that_the_graph_finds(events) -> None:
    rows = [
        {**event, "contributor": "bank", "event_id": f"e{n}", "recorded_at": event["happened_at"]}
        for n, event in enumerate(events)
    ]
    view = frame(rows).with_columns(for_subject=pl.lit(True), for_other=pl.lit(True))
    expected = {(t["a"], t["b"], t["tie"], t["strength"]) for t in tie_rows(view).to_dicts()}
    assert {(t["a"], t["b"], t["tie"], t["strength"]) for t in ties_of_case(view.to_dicts())} == expected
