"""Parties that change rules over HTTP, and sign with keys of their own."""

from collections.abc import Mapping
from functools import cache
from threading import Event
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.access import tokens
from api.jobs.proposal_checker import ProposalChecker
from api.proposals.actors import THE_SYSTEM
from api.releases.in_force import definitions_hash
from api.releases.release_log import append, bundle_text
from api.releases.releases import record_release
from api.releases.rules_folder import load_folder, rule_files
from api.releases.steps import fingerprint_of, public_key_of, text_hash
from api.runtime.context import AppContext
from api.store import clock
from engine.decide.decide import as_json
from engine.decide.evaluators import Evaluators
from engine.lang.check.release import release_of
from iftah.catalogue import kinds, schema
from tests.api.app_pool import borrow_app
from tests.paths import DOCS


@cache
def _rental() -> tuple[dict[str, str], Evaluators]:
    folder = DOCS / "examples" / "rental" / "rules"
    return rule_files(folder)[0], Evaluators(load_folder(folder))


def rental_context(database: Engine) -> AppContext:
    """The rules of a shop that lends bicycles, in force by their folder."""
    files, evaluators = _rental()
    record_release(database, evaluators.release, clock.micros(clock.now()), files)
    return AppContext(database, evaluators)


def rental_files(score: int = 70) -> dict[str, str]:
    """Their files, with another score from which a bicycle needs no deposit."""
    files = _rental()[0]
    perks = files["perks.yaml"].replace("score >= 70, waive", f"score >= {score}, waive")
    return files | {"perks.yaml": perks}


class Party:
    """A party with a token, and perhaps a key. Two of them may have one name."""

    def __init__(self, client: "ProposalClient", role: str, name: str, scopes: list[str] | None = None) -> None:
        self.client, self.role, self.name = client, role, name
        self.token = tokens.issue(client.context.database, role, name, name, clock.now(), None, scopes).secret
        self.private = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        return public_key_of(self.private)

    @property
    def key(self) -> str:
        return fingerprint_of(self.public)

    def sign(self, text: str) -> str:
        return self.private.sign(text.encode()).hex()

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.http.request(method, f"/v1/{path}", headers=headers, json=body, params=query)

    def get(self, path: str) -> Any:
        response = self.send("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body)

    def take(self, path: str, body: Any = None) -> Any:
        """Take a step that succeeds."""
        response = self.post(path, body)
        assert response.status_code in (200, 201), response.text
        return response.json()

    def proof_text(self) -> str:
        """The text that registers the key, as the API describes it."""
        content = {"party": self.name, "public": self.public, "role": self.role}
        return f"iftah.key.1\n{as_json({'content': content, 'proposal': None})}"

    def register(self) -> "Party":
        """Register the key, with the proof that it is ours."""
        self.take("keys", {"public": self.public, "signature": self.sign(self.proof_text())})
        return self

    def signature(self, number: int) -> dict[str, str]:
        """The body of a signature of a proposal as it is now."""
        proposal = self.get(f"proposals/{number}")
        signature = self.sign(proposal["text_to_sign"])
        return {"manifest": proposal["manifest_hash"], "key": self.key, "signature": signature}


class ProposalClient:
    """The API over a context, and two people: Wang, an operator, and Li, an approver. Both register their keys, if you want."""

    def __init__(self, context: AppContext, *, with_keys: bool = True, http: TestClient | None = None) -> None:
        self.context = context
        self.http = http or TestClient(borrow_app(context), raise_server_exceptions=False)
        self.checker = ProposalChecker()
        self.wang, self.li = Party(self, "operator", "wang"), Party(self, "approver", "li")
        for party in (self.wang, self.li) if with_keys else ():
            party.register()

    def check(self) -> None:
        """Check and measure what waits, as a server does in the background."""
        self.checker.look(self.context, Event())

    def draft(self, files: Mapping[str, str], **fields: Any) -> int:
        return int(self.wang.take("proposals", {"files": dict(files), "message": "a change", **fields})["number"])

    def pass_check(self, number: int, files: Mapping[str, str]) -> None:
        """Put a check on record without a probe: another test makes it."""
        release = release_of(files, schema(), kinds())
        content = {"bundle": text_hash(bundle_text(files)), "problems": [], "release": release.id}
        content |= {"definitions": definitions_hash(release)}
        step = THE_SYSTEM.step("check", clock.micros(clock.now()), number, content)
        append(self.context.database, lambda _: [step])

    def in_review(self, files: Mapping[str, str], **fields: Any) -> int:
        """A proposal that Wang signed."""
        number = self.draft(files, **fields)
        self.pass_check(number, files)
        self.review_again(number)
        return number

    def review_again(self, number: int) -> None:
        self.wang.take(f"proposals/{number}/measurement")
        self.wang.take(f"proposals/{number}/submission", self.wang.signature(number))

    def approved(self, files: Mapping[str, str], **fields: Any) -> int:
        """A proposal that both signed."""
        number = self.in_review(files, **fields)
        self.li.take(f"proposals/{number}/approval", self.li.signature(number))
        return number

    def release(self, files: Mapping[str, str], **fields: Any) -> int:
        """A proposal that both signed and Wang released."""
        number = self.approved(files, **fields)
        self.wang.take(f"proposals/{number}/release")
        return number

    def state(self, number: int) -> str:
        return str(self.li.get(f"proposals/{number}")["state"])
