"""Identity, as far as it is proved."""

from datetime import datetime

import narwhals as nw

from graph.features.integer_math import Frame, days_between


def identity(events: Frame, as_of: datetime) -> Frame:
    """Return one row for each enrolled `person`."""
    enrolled = events.filter(nw.col("kind") == "person.enrolled", nw.col("for_subject"))
    by_person = enrolled.group_by("subject").agg(
        nw.col("identity_level").max().alias("identity.level"), nw.col("happened_at").min().alias("first")
    )
    tenure = days_between(nw.col("first"), nw.lit(as_of)).alias("identity.tenure_days")
    return by_person.select(nw.col("subject").alias("person"), "identity.level", tenure)
