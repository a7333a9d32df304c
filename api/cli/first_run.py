"""The first run: what we simulate in a new database of demo data, and how a newcomer signs in to it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from api.access import sessions, tokens
from api.demo.history import DemoHistory
from api.demo.parties import FIRST_MERCHANT, OPERATOR, SUPERVISOR
from api.runtime import demo_mark
from api.runtime.bootstrap import History
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store import clock

TOKEN_LIFETIME: Final = timedelta(days=1)
ROLE_WORDS: Final = {"subject": "person"}


def history_of(settings: Settings, activity: bool | None) -> History | None:
    """What to simulate: nothing if the setting, or the option that overrides it, says so."""
    return DemoHistory() if (settings.demo_activity if activity is None else activity) else None


def newcomers(context: AppContext) -> dict[str, str]:
    """The party by role as which a newcomer may sign in; none without demo data."""
    mark = demo_mark.read_mark(context.database)
    if mark is None or mark.activity_to is None:
        return {}
    parties = {"operator": OPERATOR, "merchant": FIRST_MERCHANT, "subject": mark.person, "supervisor": SUPERVISOR}
    return {role: party for role, party in parties.items() if party is not None}


def sign_in_lines(context: AppContext, settings: Settings) -> Iterator[str]:
    """The lines that `run` prints for newcomers: for each role an address that signs a demo party in, once, on this machine.

    Their tokens of the run before end.
    """
    parties, now = newcomers(context), clock.now()
    if parties:
        yield "Open one of these in a browser. Each works once, on this machine, for half an hour:"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - where a browser finds us
    for role, party in parties.items():
        name = f"first-run-{role}"
        tokens.revoke(context.database, name, now)
        token = tokens.issue(context.database, role, party, name, now, now + TOKEN_LIFETIME).token
        content = {"token": token.id, "role": role, "party": party, "next": "/"}
        ticket = sessions.begin_sign_in(context.database, "ticket", content, now)
        yield f"  {ROLE_WORDS.get(role, role):<10} {party:<14} http://{host}:{settings.port}/sign-in/ticket?ticket={ticket}"
