"""Numbers, money and times as the reader's language writes them."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent
from markupsafe import Markup

from api.console.problem_texts import change_text, explanation_text, problem_line, problem_text
from api.render.currency import minor_digits

NO_VALUE: Final = "–"


def formats(language: str) -> Mapping[str, Callable[..., Any]]:
    """The filters of templates, for one language. Each shows None as a dash."""

    def number(value: float | None) -> str:
        return NO_VALUE if value is None else str(format_decimal(value, locale=language))

    def percent(share: float | None, digits: int = 0) -> str:
        if share is None:
            return NO_VALUE
        return str(format_percent(share, format=f"#,##0{'.' + '0' * digits if digits else ''}%", locale=language))

    def money(amount: int | None, currency: str) -> str:
        if amount is None:
            return NO_VALUE
        digits = minor_digits(currency)
        pattern = f"¤#,##0{'.' * (digits > 0)}{'0' * digits}"
        return str(format_currency(Decimal(amount).scaleb(-digits), currency, pattern, language, currency_digits=False))

    def moment(value: str | datetime | None, zone: str = "UTC") -> str | Markup:
        if value is None:
            return NO_VALUE
        at = _parse(value)
        text = format_datetime(at, "medium", tzinfo=ZoneInfo(zone), locale=language)
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)

    def day(value: str | date | None, zone: str = "UTC") -> str | Markup:
        if value is None:
            return NO_VALUE
        on = (
            date.fromisoformat(value)
            if isinstance(value, str) and len(value) == len("2026-01-01")
            else _day(value, zone)
        )
        return Markup('<time datetime="{}">{}</time>').format(
            on.isoformat(), format_date(on, "medium", locale=language)
        )

    def distance(value: str | datetime, now: datetime) -> str:
        """How far a time is: `in 3 days`, `2 hours ago`."""
        return str(format_timedelta(_parse(value) - now, add_direction=True, locale=language))

    return {
        "number": number,
        "percent": percent,
        "money": money,
        "moment": moment,
        "day": day,
        "distance": distance,
        "problem_text": lambda text: problem_text(text, language),
        "change_text": lambda line: change_text(line, language),
        "problem_line": lambda line: problem_line(line, language),
        "explanation_text": lambda line: explanation_text(line, language),
    }


def _parse(value: str | datetime) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _day(value: str | date, zone: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return _parse(value).astimezone(ZoneInfo(zone)).date()
