"""`iftah orders`: work on all orders."""

import typer

from api.cli.output import commands, console
from api.settings.settings import settings

orders = typer.Typer(help="Move the orders that are due by the clock: to expired, or to overdue.", no_args_is_help=True)
app = commands()
app.add_typer(orders, name="orders")


@orders.callback()
def group() -> None:
    """Move the orders that are due by the clock: to expired, or to overdue."""


@orders.command()
def tick() -> None:
    """Move the orders that are due by the clock, once: to expired, or to overdue. A running server does this by itself."""
    from api.jobs import order_clock
    from api.runtime import bootstrap
    from api.store import clock

    count = order_clock.tick_orders(bootstrap.load_context(settings()), clock.now())
    console().print(f"{count:,} orders moved")
