"""Run one query on many frames. To build the expressions of a program takes as long as to run them on 200,000 people."""

from collections.abc import Callable
from typing import Any

import narwhals as nw

Lazy = nw.LazyFrame[Any]
Frame = nw.DataFrame[Any]
Query = Callable[[Lazy], Lazy]
Plan = Callable[[Frame], Frame]  # the rows of a query for a frame; all frames have the same columns
Planner = Callable[[Query], Plan]


def plan_anew(query: Query) -> Plan:
    """Build the expressions for each frame, which works on every engine."""
    return lambda people: query(people.lazy()).collect()
