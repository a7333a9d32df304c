"""A real browser for the pages: Debian's Chromium, driven by Playwright. A page that logs an error, breaks its policy or asks another
host fails its test.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from sqlalchemy import update

from api.runtime.context import AppContext
from api.store.database import writing
from api.store.tables import SESSIONS
from tests.effort import only_in_full
from tests.paths import ROOT

WAIT_MILLISECONDS: Final = 15_000  # of each step
SCREENS: Final = ROOT / "var" / "screens"  # artefacts: look at them
WIDTHS: Final = {"wide": 1440, "narrow": 390}
SCHEMES: Final = ("light", "dark")
# Four views have each language at each width, in each scheme, and each width in each scheme. `make agreement` takes all eight.
_USUAL_VIEWS: Final = (
    ("en", "wide", "light"),
    ("en", "narrow", "dark"),
    ("zh", "wide", "dark"),
    ("zh", "narrow", "light"),
)
VIEWS: Final = [
    pytest.param(*view, marks=() if view in _USUAL_VIEWS else only_in_full)
    for view in product(("en", "zh"), WIDTHS, SCHEMES)
]
_WATCH_POLICY: Final = "document.addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"


def chromium() -> str:
    """The path of Chromium; the test is skipped without it, and fails in CI."""
    path = shutil.which("chromium")
    if path is None:
        message = "no Chromium is installed (Debian: chromium): tests of pages in a browser are left out"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium without a window."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def forget_confirmations(town: AppContext) -> None:
    """Each session is as if its holder had been silent for long: the next step that asks for a proof gets none."""
    with writing(town.database) as connection:
        connection.execute(update(SESSIONS).values(confirmed_at=0))


class Visitor:
    """One browser window of one person, which notes what must not happen."""

    def __init__(
        self,
        browser: Browser,
        base: str,
        *,
        language: str = "en",
        width: str = "wide",
        scheme: str = "light",
        scripts: bool = True,
        also: str = "about:",
    ) -> None:
        self.base, self.language, self.width, self.scheme = base, language, width, scheme
        self.hosts = (base, also, "data:", "blob:")  # `also`: another address that the browser may ask
        self.context = browser.new_context(
            base_url=base,
            locale="zh-CN" if language == "zh" else "en-GB",
            viewport={"width": WIDTHS[width], "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(WAIT_MILLISECONDS)
        if scripts:
            self.context.add_init_script(_WATCH_POLICY)
        self.faults: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        """Another tab."""
        page = self.context.new_page()
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", self._note_request)
        return page

    def _note_message(self, message: ConsoleMessage) -> None:
        # Chromium logs each answer that is an error: the tests assert those by themselves
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(self.hosts):
            self.faults.append(f"another host: {request.url}")

    def sign_in(self, secret: str, address: str = "/") -> None:
        """Sign in by a token, and go to a page."""
        self.page.goto(f"/sign-in?next={address}")
        self.page.fill("input[name=token]", secret)
        self.page.click("main button")
        self.page.wait_for_load_state()

    def violations(self) -> list[str]:
        """What axe finds on the page."""
        result: dict[str, Any] = Axe().run(self.page).response
        return [f"{v['id']}: {v['help']}: {[node['target'] for node in v['nodes']][:3]}" for v in result["violations"]]

    def screen(self, name: str) -> Path:
        """A picture of the whole page, as an artefact."""
        path = SCREENS / f"{name}-{self.width}-{self.scheme}-{self.language}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        return path

    def close(self) -> None:
        """Close the window. Raises AssertionError for what must not have happened."""
        self.context.close()
        assert self.faults == []
