"""Formatted amounts of money."""

from api.render.currency import money


def test_amounts_have_the_digits_of_their_currency() -> None:
    assert [
        money(*m) for m in ((123450, "CNY"), (5, "EUR"), (1234, "JPY"), (1234, "KWD"), (0, "CNY"), (-105, "CNY"))
    ] == [*("1,234.50 CNY", "0.05 EUR", "1,234 JPY", "1.234 KWD", "0.00 CNY", "-1.05 CNY")]
