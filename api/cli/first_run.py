"""The first run: what we simulate in a new database of demo data, and how a newcomer signs in to it."""

from collections.abc import Iterator

from api.demo.history import DemoHistory
from api.demo.parties import FIRST_MERCHANT, OPERATOR
from api.runtime import demo_mark
from api.runtime.bootstrap import History
from api.runtime.context import AppContext
from api.settings.settings import Settings


def history_of(settings: Settings, activity: bool | None) -> History | None:
    """What to simulate: nothing if the setting, or the option that overrides it, says so."""
    return DemoHistory() if (settings.demo_activity if activity is None else activity) else None


def newcomers(context: AppContext) -> dict[str, str]:
    """The party by role as which a newcomer may sign in; none without demo data."""
    mark = demo_mark.read_mark(context.database)
    if mark is None or mark.activity_to is None:
        return {}
    parties = {"operator": OPERATOR, "merchant": FIRST_MERCHANT, "subject": mark.person}
    return {role: party for role, party in parties.items() if party is not None}


def sign_in_lines(context: AppContext, settings: Settings) -> Iterator[str]:
    """The lines that `run` prints for newcomers, one for each role. Pages put an address there that signs the party in once."""
    address = f"http://{settings.host}:{settings.port}"
    for role, party in newcomers(context).items():
        yield f"demo {role}: {party} ({address}/v1/demo names the parties)"
