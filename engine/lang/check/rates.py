"""Check rates.yaml: each rate is of another currency than the base, and no rate can lose exactness."""

from engine.lang.check.ids import check_unique
from engine.lang.model.problems import Report
from engine.lang.model.rates import ExchangeRates
from engine.lang.syntax.ast import RatesFile


def check_rates(file: RatesFile, report: Report) -> ExchangeRates:
    """The rates of the file. Problems are added to `report`; discard the result if there are any."""
    base = file.base.text
    check_unique((word for word, _ in file.rates), report, "the currency ")
    for word, number in file.rates:
        if word.text == base:
            hint = "take it out: one unit of the base is worth 1"
            report.add("R901", f"`{base}` is the base, and has a rate of {number.text}", word.at, hint)
    rates = tuple((word.text, number.text) for word, number in file.rates if word.text != base)
    return ExchangeRates(base, file.date.text, tuple(sorted(dict(rates).items())))
