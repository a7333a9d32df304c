"""Features of identity, as far as it is proved."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import UP, Feature, count, days

IDENTITY: Final[tuple[Feature, ...]] = (
    replace(
        count("identity.level", "Highest level to which the identity was proved.", "level"),
        high=3,
        formula="the highest level of their enrolments",
        zero=False,
        missing="Never missing: we compute features only for enrolled people who consent to identity evidence.",
    ),
    replace(
        days("identity.tenure_days", "Days since the first enrolment.", "", direction=UP),
        formula="days from their first enrolment to now",
        missing="Never missing: we compute features only for enrolled people who consent to identity evidence.",
    ),
)
