"""A server of the town with the pages, and a browser."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from playwright.sync_api import Browser

from api.access import tokens
from api.console.visits import COOKIE
from api.http.app import create_app
from api.http.gate import Gate
from api.runtime.context import AppContext
from api.store import clock
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.api.console.browser import Visitor, running_browser
from tests.api.console.town_server import TownServer
from tests.api.database_templates import Template

START_SECONDS = 20


@contextmanager
def served(context: AppContext, gate: Callable[[str], Gate] | None = None) -> Iterator[str]:
    """The address of a server of this context, in a thread. `gate` makes its gate, by the address."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        app = create_app(context, gate=gate(address) if gate else None)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


@pytest.fixture(scope="module")  # Playwright runs an event loop in this thread, in which other tests could start none
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def town(town_template: Template, tmp_path: Path, shipped_evaluators: Evaluators) -> Iterator[AppContext]:
    """A scored town and the shipped rules, on SQLite: the routes that pages call have their tests on both databases."""
    with town_template.lend("", tmp_path) as url:
        database = open_database(url)
        yield AppContext(database, shipped_evaluators)
        database.dispose()


@pytest.fixture(scope="module")
def module_town(
    town_template: Template, tmp_path_factory: pytest.TempPathFactory, shipped_evaluators: Evaluators
) -> Iterator[AppContext]:
    """The same for all tests of a file, which leave it as it is."""
    with town_template.lend("", tmp_path_factory.mktemp("town")) as url:
        database = open_database(url)
        yield AppContext(database, shipped_evaluators)
        database.dispose()


@pytest.fixture
def address(town: AppContext) -> Iterator[str]:
    """The address of a server of the town."""
    with served(town) as address:
        yield address


@pytest.fixture
def visitor(browser: Browser, address: str) -> Iterator[Callable[..., Visitor]]:
    """Opens a window; its options are those of Visitor. At the end nothing bad may have happened in any."""
    windows: list[Visitor] = []

    def open_window(**options: object) -> Visitor:
        windows.append(Visitor(browser, address, **options))  # type: ignore[arg-type]
        return windows[-1]

    yield open_window
    for window in windows:
        window.close()


@pytest.fixture
def token(town: AppContext) -> Callable[[str, str], str]:
    """Issues a token for a role and a party."""
    return lambda role, party: tokens.issue(town.database, role, party, role, clock.now()).secret


@pytest.fixture
def signed_in(address: str) -> Iterator[Callable[[str], httpx2.Client]]:
    """Gives a client with a session of a token's holder, by requests alone."""
    with ExitStack() as stack:

        def sign_in(secret: str) -> httpx2.Client:
            client = stack.enter_context(httpx2.Client(base_url=address, timeout=30))
            answer = client.post("/sign-in", data={"token": secret, "next": "/"})
            assert answer.status_code == 303, answer.text
            client.cookies.clear()  # it keeps no cookie that is for https alone
            client.headers["Cookie"] = f"{COOKIE}={answer.headers['set-cookie'].split('=', 1)[1].split(';')[0]}"
            return client

        yield sign_in


@pytest.fixture
def town_server(address: str, town: AppContext) -> TownServer:
    """The API of the server, with a service `rooms` of the merchant `inn`."""
    town_server = TownServer(address, town)
    town_server.call("PUT", "/v1/services/rooms", town_server.token("merchant", "inn"), {"perk": "hotel"})
    return town_server
