"""Every command and every request of the README and the guides, as it stands there, on a demo database.

What stands for something (`PERSON`, `FILE`) is filled in; what is in brackets is tried with and without. A command that is
only named (`iftah token issue` in a sentence, without what it needs) must have help.
"""

import re
import shlex
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from api import services
from api.database import open_database
from api.services import Terms
from api.world import World
from engine.engines import Engines
from tests.api.databases import Template
from tests.api.door import Door
from tests.api.terminal import Done, environment, in_process
from tests.api.world import NOW, ROOT

PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md")
# They end only when they are stopped, or prepare a database first: `test_cli.py` and `test_serving.py` run them.
ELSEWHERE = ("iftah run", "iftah serve", "iftah demo")
# Named in a sentence without what they need; each is written out elsewhere.
NAMED = {
    *("iftah token issue", "iftah erase", "iftah graph PERSON", "iftah audit digest"),
}
# Data sets are not part of the checkout: then the command says so.
EVALUATIONS = re.compile(r"iftah evaluate (berka|sybil|otc|amlsim)")
NO_DATA = "there is no data set"


def commands() -> list[str]:
    """Every command of `iftah` in the pages, each once; a line of several is several."""
    found = dict[str, None]()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for whole in re.findall(r"`(iftah [^`\n]+)`", text) + re.findall(r"^(iftah .+?)(?:  +#.*)?$", text, re.M):
            found |= dict.fromkeys(part.strip() for part in whole.split("&&"))
    return [*found]


def readings(command: str) -> Iterator[str]:
    """The command with each of its bracketed parts, and without."""
    parts = re.split(r"(\[[^\]]+\])", command)
    choices = [("", part[1:-1]) if part.startswith("[") else (part,) for part in parts]
    for chosen in product(*choices):
        yield " ".join("".join(chosen).split())


class Desk:
    """A terminal in a folder with a copy of the demo database, and what the pages' placeholders stand for."""

    def __init__(self, url: str, engines: Engines, folder: Path) -> None:
        self.folder, self.files = folder, 0
        shutil.copytree(ROOT / "rules", folder / "rules")
        self.env = environment(IFTAH_DATABASE_URL=url, IFTAH_RULES=str(folder / "rules"), IFTAH_DATA=str(folder))
        head = "contributor,event_id,kind,subject,other,happened_at,amount,currency\n"
        (folder / "events.csv").write_text(head + "bank,doc-1,payment.made,p-1,shop-1,2025-12-01T00:00:00Z,500,CNY\n")
        engine = open_database(url)
        door = Door(World(engine, engines))
        self.person, self.leaves = door.anyone(), door.nobody_scored()
        self.decision = door.ask(self.person).json()["decision_id"]  # of a day that is over: it is in a digest
        engine.dispose()
        self.head = re.findall(r"head ([0-9a-f]+)", self.run("audit", "verify").stdout)[0]
        self.run("audit", "digest")
        proof = self.run("audit", "proof", self.decision).stdout
        (folder / "proof.json").write_text(proof)
        self.root = re.findall(r'"root": ?"([0-9a-f]+)"', proof)[:1] or [""]

    def run(self, *words: str) -> Done:
        return in_process(words, self.env, self.folder)

    def _token(self) -> str:
        self.run("token", "issue", "--role", "merchant", "--party", "inn", "--name", "desk")
        return re.findall(r"^(\w+) .*until", self.run("token", "list").stdout, re.M)[-1]

    def filled(self, command: str) -> list[str]:
        """The words of a reading, what stands for something filled in."""
        self.files += 1
        new = str(self.folder / f"new-{self.files}")
        erased = command.startswith("iftah erase")
        meant = {
            **{"PERSON": self.leaves if erased else self.person, "client-10043": self.person, "ID": "car.650"},
            **{
                "DECISION": self.decision,
                "HEAD": self.head,
                "HASH": self.head,
                "ROOT": self.root[0],
                "YEAR": f"{NOW.year}",
            },
            **{
                "NAME": self._token(),
                "N": "2",
                "KIND": "perks",
                "FOLDER": "rules",
                "PLACES…": "rules",
                "FILE…": "events.csv",
            },
            **{"FILE.svg": f"{new}.svg", "FILE": "proof.json" if "check-proof" in command else new},
        }
        return [meant.get(word, word) for word in shlex.split(command)[1:]] + ["--yes"] * erased


@pytest.fixture(scope="module")
def desk(settled: Template, shipped_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("documents")
    with settled.lent("", folder) as url:
        yield Desk(url, shipped_engines, folder)


RUN = [c for c in commands() if not c.startswith(ELSEWHERE) and c not in NAMED]


def test_what_is_only_named_is_written_out_somewhere_or_has_help(desk: Desk) -> None:
    assert set(commands()) >= NAMED
    for command in NAMED:
        words = [word for word in command.split()[1:] if word.islower()]
        assert desk.run(*words, "--help").returncode == 0


@pytest.mark.parametrize("command", sorted(RUN, key=lambda c: (c.startswith("iftah erase"), c)))
def test_a_command_of_the_pages_runs_as_it_stands(desk: Desk, command: str) -> None:
    for reading in readings(command):
        done = desk.run(*desk.filled(reading))
        if EVALUATIONS.match(command):
            assert (done.returncode, NO_DATA in done.stderr) == (2, True)
        else:
            assert (done.returncode, done.stderr) == (0, ""), reading


def requests(page: Path) -> list[str]:
    """The page's requests by curl, whole."""
    return re.findall(r"```sh\n(curl .*?)\n```", page.read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("page", [p for p in PAGES if requests(p)], ids=lambda p: p.name)
def test_a_request_of_the_pages_is_answered_as_it_stands(town: World, page: Path) -> None:
    door = Door(town)
    person = door.anyone()
    services.sign_up(town.database, "inn", "hotel", Terms("hotel"), NOW)
    door.consent(person)
    for request in requests(page):
        address = re.findall(r"http://127\.0\.0\.1:8000(\S+)", request)[0]
        headers = dict(re.findall(r"-H '([^:]+): ([^']+)'", request))
        token = door.token if "eligibility" in address else door.issue("contributor", "bank")
        headers["Authorization"] = headers["Authorization"].replace("iftah_…", token)
        data = re.findall(r"-d '(.*?)'\s*$", request, re.S) or re.findall(r"<<'END'\n(.*?)\nEND", request, re.S)
        body = data[0].replace("client-10043", person)
        answer = door.client.post(address, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert "eligibility" not in address or answer.json()["outcome"] in ("ADMIT", "PARTIAL")


def test_every_address_of_the_pages_is_one_of_the_service(town: World) -> None:
    paths = Door(town).client.get("/openapi.json").json()["paths"]
    known = {
        (method.upper(), re.sub(r"\{[^}]+\}", "{}", path)) for path, methods in paths.items() for method in methods
    }
    for page in PAGES:
        for method, path in re.findall(
            r"`(GET|PUT|POST|DELETE|PATCH) (/v1/[^`\s?]*)", page.read_text(encoding="utf-8")
        ):
            if "…" not in path:
                assert (method, re.sub(r"\{[^}]+\}", "{}", path)) in known, f"{page.name}: {method} {path}"
