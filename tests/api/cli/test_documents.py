"""Every command and every request of the README and the guides, as printed there, on a demo database.

We fill in placeholders (`PERSON`, `FILE`), and try a part in brackets with and without. A command that a sentence only names
(`iftah token issue`, without its options) must have help.
"""

import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from api.merchants import services
from api.merchants.services import Terms
from api.runtime.context import AppContext
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.api.database_templates import Template
from tests.api.merchant_client import MerchantClient
from tests.api.terminal import CompletedCommand, environment, run_in_process
from tests.api.town import NOW, shipped_release
from tests.paths import ROOT

REFERENCES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
GUIDES = tuple(sorted((ROOT / "docs" / "guides").glob("*.md")))  # their requests follow one another: `test_guides.py`
PAGES = (*REFERENCES, *GUIDES)
# They run until stopped, or need a database of their own: `test_cli.py`, `test_cli_init.py` and `test_server.py` run them.
CHANGES_OF_RULES = tuple(
    f"iftah {name}"
    for name in ("propose", "measure", "releases", "approve", "reject", "release", "rollback", "break-glass", "key")
)  # they follow one another: `test_guides.py`
FILE_BUILD = "iftah build --evidence FOLDER --out FOLDER"  # `tests/api/features/test_file_build.py`
RUN_ELSEWHERE = (
    *CHANGES_OF_RULES,
    FILE_BUILD,
    "iftah build --engine spark",
    "iftah run",
    "iftah serve",
    "iftah demo",
    "iftah features rental.late_share",
)
# Named in a sentence without their options; each is written out elsewhere.
ONLY_NAMED = {
    *(
        "iftah import",
        "iftah init",
        "iftah load",
        "iftah token issue",
        "iftah erase",
        "iftah draw PERSON",
        "iftah audit digest",
    ),
}
# A map of the example's events, which are events already.
MAP = """\
kind: map
set: {contributor: contributor, subject: subject, happened_at: happened_at}
events:
  - kind: payment.made
    set: {event_id: event_id, other: other, amount: amount, currency: currency}
"""
# Data sets are not part of the checkout: then the command prints an error.
EVALUATIONS = re.compile(r"iftah evaluate (berka|sybil|otc|amlsim)")
NO_DATA = "there is no data set"


def commands() -> list[str]:
    """Every command of `iftah` in the pages, each once; a line with `&&` holds several."""
    command_lines = dict[str, None]()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"`(iftah [^`\n]+)`", text) + re.findall(r"^ *(iftah .+?)(?:  +#.*)?$", text, re.M):
            command_lines |= dict.fromkeys(part.strip() for part in line.split("&&"))
    return [*command_lines]


def variants_of(command: str) -> Iterator[str]:
    """The command with and without each of its parts in brackets."""
    parts = re.split(r"(\[[^\]]+\])", command)
    choices = [("", part[1:-1]) if part.startswith("[") else (part,) for part in parts]
    for choice in product(*choices):
        yield " ".join("".join(choice).split())


class ExampleRunner:
    """A terminal in a folder with a copy of the demo database, and the values of the pages' placeholders."""

    def __init__(self, url: str, evaluators: Evaluators, folder: Path) -> None:
        self.folder, self.files = folder, 0
        shutil.copytree(ROOT / "rules", folder / "rules")
        self.env = environment(
            IFTAH_DATABASE_URL=url, IFTAH_RULES=str(folder / "rules"), IFTAH_DATASETS_DIR=str(folder)
        )
        head = "contributor,event_id,kind,subject,other,happened_at,amount,currency\n"
        (folder / "events.csv").write_text(head + "bank,doc-1,payment.made,p-1,shop-1,2025-12-01T00:00:00Z,500,CNY\n")
        (folder / "map.yaml").write_text(MAP)
        shop = sqlite3.connect(folder / "shop.db")
        shop.execute("CREATE TABLE orders (contributor, event_id, subject, other, happened_at, amount, currency)")
        shop.execute("INSERT INTO orders VALUES ('shop', 'o-1', 'p-1', 'shop', '2025-12-01T00:00:00Z', 500, 'CNY')")
        shop.commit()
        shop.close()
        database = open_database(url)
        client = MerchantClient(AppContext(database, evaluators))
        self.person, self.leaver = client.scored_person(), client.unscored_person()
        self.decision = client.ask(self.person).json()["decision_id"]  # from a past day: it is in a digest
        database.dispose()
        self.head = re.findall(r"head ([0-9a-f]+)", self.run("audit", "verify").stdout)[0]
        self.run("audit", "digest")
        proof = self.run("audit", "proof", self.decision).stdout
        (folder / "proof.json").write_text(proof)
        self.root = re.findall(r'"root": ?"([0-9a-f]+)"', proof)[:1] or [""]

    def run(self, *args: str) -> CompletedCommand:
        return run_in_process(args, self.env, self.folder)

    def _token(self) -> str:
        self.run("token", "issue", "--role", "merchant", "--party", "inn", "--name", "desk")
        return re.findall(r"^(\w+) .*until", self.run("token", "list").stdout, re.M)[-1]

    def fill_in(self, command: str) -> list[str]:
        """The words of a command, with the placeholders filled in."""
        self.files += 1
        new_path = str(self.folder / f"new-{self.files}")
        erased = command.startswith("iftah erase")
        placeholders = {
            "PERSON": self.leaver if erased else self.person,
            "client-10043": self.person,
            "ID": "car.650",
            "DECISION": self.decision,
            "HEAD": self.head,
            "HASH": self.head,
            "ROOT": self.root[0],
            "YEAR": f"{NOW.year}",
            "NAME": self._token(),
            "N": "2",
            "KIND": "perks",
            "FEATURE": "capacity.income_months",
            "FOLDER": new_path if command.startswith("iftah init") else "rules",
            "PLACES…": "rules",
            "OLD": "rules",
            "NEW": "rules",
            "changed": "rules",
            "RELEASE": shipped_release().id,
            "FILE…": "events.csv",
            "FILE.svg": f"{new_path}.svg",
            "FILE": "proof.json" if "check-proof" in command else new_path,
        }
        if command.startswith("iftah init"):
            placeholders["shop"] = new_path
        if "--guess" in command:
            placeholders |= {"yours.csv": "events.csv", "map.yaml": new_path}
        return [placeholders.get(word, word) for word in shlex.split(command)[1:]] + ["--yes"] * erased


@pytest.fixture(scope="module")
def runner(
    town_template: Template, shipped_evaluators: Evaluators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ExampleRunner]:
    folder = tmp_path_factory.mktemp("documents")
    with town_template.lend("", folder) as url:
        yield ExampleRunner(url, shipped_evaluators, folder)


RUNNABLE = [c for c in commands() if not c.startswith(RUN_ELSEWHERE) and c not in ONLY_NAMED]


def test_a_command_named_without_options_has_help(runner: ExampleRunner) -> None:
    assert set(commands()) >= ONLY_NAMED
    for command in ONLY_NAMED:
        args = [word for word in command.split()[1:] if word.islower()]
        assert runner.run(*args, "--help").returncode == 0


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith(CHANGES_OF_RULES)])
def test_a_command_of_changes_of_rules_has_the_options_that_the_pages_name(runner: ExampleRunner, command: str) -> None:
    words = command.replace("[", "").replace("]", "").split()[1:]
    name = words[:2] if words[0] == "key" else words[:1]
    help_text = runner.run(*name, "--help").stdout
    assert all(word in help_text for word in words if word.startswith("-"))


@pytest.mark.parametrize("command", sorted(RUNNABLE, key=lambda c: (c.startswith("iftah erase"), c)))
def test_a_command_of_the_pages_runs_as_it_stands(runner: ExampleRunner, command: str) -> None:
    for variant in variants_of(command):
        result = runner.run(*runner.fill_in(variant))
        if EVALUATIONS.match(command):
            assert (result.returncode, NO_DATA in result.stderr) == (2, True)
        else:
            assert (result.returncode, result.stderr) == (0, ""), variant


def requests(page: Path) -> list[str]:
    """The page's requests by curl, whole."""
    return re.findall(r"```sh\n(curl .*?)\n```", page.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("page", [p for p in REFERENCES if requests(p)], ids=lambda p: p.name)
def test_a_request_of_the_pages_is_answered_as_it_stands(town: AppContext, page: Path) -> None:
    client = MerchantClient(town)
    person = client.scored_person()
    services.sign_up(town.database, "inn", "hotel", Terms("hotel"), NOW)
    client.consent(person)
    for request in requests(page):
        path = re.findall(r"http://127\.0\.0\.1:8000(\S+)", request)[0]
        headers = dict(re.findall(r"-H '([^:]+): ([^']+)'", request))
        token = client.token if "eligibility" in path else client.issue("contributor", "bank")
        headers["Authorization"] = headers["Authorization"].replace("iftah_…", token)
        data = re.findall(r"-d '(.*?)'\s*$", request, re.S) or re.findall(r"<<'END'\n(.*?)\nEND", request, re.S)
        body = data[0].replace("client-10043", person)
        answer = client.http.post(path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "eligibility" not in path or answer.json()["outcome"] in ("ADMIT", "PARTIAL")


def test_every_address_of_the_pages_is_one_of_the_service(town: AppContext) -> None:
    paths = MerchantClient(town).http.get("/openapi.json").json()["paths"]
    routes = {
        (method.upper(), re.sub(r"\{[^}]+\}", "{}", path)) for path, methods in paths.items() for method in methods
    }
    for page in PAGES:
        for method, path in re.findall(
            r"`(GET|PUT|POST|DELETE|PATCH) (/v1/[^`\s?]*)", page.read_text(encoding="utf-8")
        ):
            if "…" not in path:
                assert (method, re.sub(r"\{[^}]+\}", "{}", path)) in routes, f"{page.name}: {method} {path}"
