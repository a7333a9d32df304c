"""Count calendar months by the clocks of one time zone. We import no column engine here: the cases beside the rules use it."""

from datetime import UTC, datetime, tzinfo


def months_before(at: datetime, months: int, zone: tzinfo = UTC) -> datetime:
    """Return the same local time `months` calendar months earlier in `zone`, as UTC. If that month has no such day, its
    last day.
    """
    local = at.astimezone(zone)
    year, month0 = divmod(local.year * 12 + local.month - 1 - months, 12)
    for day in (local.day, 30, 29, 28):
        try:
            earlier = local.replace(year=year, month=month0 + 1, day=min(day, local.day), fold=0)
            return earlier.astimezone(UTC)
        except ValueError:
            continue
    raise AssertionError("every month has a 28th")


def month_of(at: datetime, zone: tzinfo = UTC) -> int:
    """Return the calendar month of a moment in `zone`, counted from year 0."""
    local = at.astimezone(zone)
    return local.year * 12 + local.month
