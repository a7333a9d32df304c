"""The share of payments at night."""

from datetime import datetime, tzinfo
from typing import Final

import narwhals as nw

from graph.features.integer_math import Frame, indicator, ratio
from tests.graph.features.python_definitions.payments import last_year

NIGHT_END_HOUR: Final = 6  # the night begins at 0 o'clock


def night_share(paid: Frame, as_of: datetime, zone: tzinfo) -> Frame:
    """Compute `behaviour.night_share`: one row for each `person` who paid in the last twelve months."""
    local = nw.col("local_time")
    has_time = local != local.dt.truncate("1d")
    is_night = has_time & (local.dt.hour() < NIGHT_END_HOUR)
    payments = last_year(paid, as_of, zone).select("person", timed=indicator(has_time), night=indicator(is_night))
    by_person = payments.group_by("person").agg(nw.col("timed", "night").sum())
    timed, night = nw.col("timed").cast(nw.Int64()), nw.col("night").cast(nw.Int64())
    return by_person.select("person", ratio(night, timed).alias("behaviour.night_share"))
