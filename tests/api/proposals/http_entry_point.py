"""The routes of the API as a way to change rules: each step by a token, and signatures only where two people sign."""

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.access import tokens
from api.http.app import attach_context
from api.jobs.proposal_checker import advance_proposal
from api.proposals.actors import new_key, read_key
from api.proposals.keys import key_text
from api.releases import rules_folder
from api.releases.steps import fingerprint_of, public_key_of
from api.runtime.context import AppContext
from api.store import clock
from engine.errors import Rejected
from tests.api.app_pool import borrow_app
from tests.api.proposals.entry_points import PLAN, REASON, Signer


class HttpRoutes:
    """The routes over a context, with a token for each party and role."""

    keeps_failing = True
    signs_all = False

    def __init__(self, context: AppContext, folders: Mapping[str, Path], app: FastAPI | None) -> None:
        self.app = attach_context(app, context) if app else borrow_app(context)
        self.database, self.folders = context.database, folders
        self.http = TestClient(self.app, raise_server_exceptions=False)
        self.secrets: dict[tuple[str, str], str] = {}

    def send(self, signer: Signer, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The answer, as JSON. Raises Rejected with the detail of a problem, which must be one line."""
        name = signer.party, signer.claims
        if name not in self.secrets:
            later = clock.add_days(clock.now(), days=300)
            self.secrets[name] = tokens.issue(
                self.database, signer.claims, signer.party, "test", clock.now(), later
            ).secret
        headers = {"Authorization": f"Bearer {self.secrets[name]}"}
        response = self.http.request(method, f"/v1/{path}", headers=headers, json=body, params=query or None)
        if response.status_code < 400:
            return response.json() if response.content else None
        assert response.status_code < 500, response.text
        problem = response.json()
        raise Rejected(problem["detail"], where=path, code=problem["code"])

    def _files(self, text: str) -> dict[str, str]:
        return dict(rules_folder.rule_files(self.folders[text])[0])

    def _form(self, text: str, plan: bool) -> dict[str, Any]:
        return {"files": self._files(text), "message": REASON} | ({"plan": PLAN} if plan else {})

    def propose(self, signer: Signer, text: str, plan: bool) -> None:
        number = self.send(signer, "POST", "proposals", self._form(text, plan))["number"]
        self._review(signer, number)

    def revise(self, signer: Signer, number: int, text: str, plan: bool) -> None:
        self.send(signer, "PUT", f"proposals/{number}", self._form(text, plan))
        self._review(signer, number)

    def _review(self, signer: Signer, number: int) -> None:
        if not advance_proposal(self.database, number, Event()).problems:  # as the server does in the background
            self._sign(signer, number, "submission")

    def _sign(self, signer: Signer, number: int, kind: str) -> None:
        proposal, private = self.send(signer, "GET", f"proposals/{number}"), read_key(signer.path)
        signed = f"iftah.{kind}.1\n" + json.dumps(
            {"content": {"manifest": proposal["manifest_hash"]}, "proposal": number},
            sort_keys=True,
            separators=(",", ":"),
        )
        body = {"manifest": proposal["manifest_hash"], "key": fingerprint_of(public_key_of(private))}
        body["signature"] = private.sign(signed.encode()).hex()
        self.send(signer, "POST", f"proposals/{number}/{kind}", body)

    def measure(self, signer: Signer, number: int) -> None:
        self.send(signer, "POST", f"proposals/{number}/measurement")
        self._sign(signer, number, "submission")

    def approve(self, signer: Signer, number: int) -> None:
        self._sign(signer, number, "approval")

    def reject(self, signer: Signer, number: int) -> None:
        self.send(signer, "POST", f"proposals/{number}/rejection", {"reason": REASON})

    def release(self, signer: Signer, number: int) -> None:
        self.send(signer, "POST", f"proposals/{number}/release")

    def schedule(self, signer: Signer, number: int, due: int) -> None:
        self.send(signer, "POST", f"proposals/{number}/schedule", {"at": clock.iso(clock.moment(due))})

    def shadow(self, signer: Signer, number: int) -> None:
        self.send(signer, "POST", f"proposals/{number}/shadow")

    def stop(self, signer: Signer, number: int) -> None:
        self.send(signer, "POST", f"proposals/{number}/stop", {"reason": REASON})

    def roll_back(self, signer: Signer, to: str) -> None:
        self.send(signer, "POST", "releases/rollback", {"reason": REASON} | ({"to": to} if to else {}))

    def break_glass(self, signer: Signer, text: str, hours: int) -> None:
        body = {"files": self._files(text), "hours": hours, "reason": REASON}
        self.send(signer, "POST", "releases/break-glass", body)

    def end_break_glass(self, signer: Signer) -> None:
        self.send(signer, "DELETE", "releases/break-glass")

    def register(self, party: str, role: str, path: Path) -> str:
        private, signer = new_key(path), Signer(party, role, path)
        public = public_key_of(private)
        proof = private.sign(key_text(signer.actor, public).encode()).hex()
        self.send(signer, "POST", "keys", {"public": public, "signature": proof})
        return fingerprint_of(public)

    def revoke(self, fingerprint: str) -> None:
        admin = Signer("the-admin", "admin", Path())
        self.send(admin, "DELETE", f"keys/{fingerprint}", reason=REASON)
