"""Changes of the shipped rules for the pages of releases: proposed by the API, as the editor does, and checked as a server does."""

from collections.abc import Mapping
from typing import Any, Final

from api.releases.releases import record_release
from api.runtime.context import AppContext
from api.store import clock
from tests.api.console.activity import SCRIPT
from tests.api.http.proposal_client import Party, ProposalClient
from tests.api.shipped_probe import shipped_files

MESSAGE: Final = "Hotels from 680 points, since guests of 650 paid late"
HOSTILE: Final = f"a change {SCRIPT}"
PLAN: Final = {"stages": [{"share": "5%", "hours": 24}, {"share": "100%"}], "on_break": "hold"}


def stricter(points: int = 680) -> Mapping[str, str]:
    """The shipped rules, with another score for a hotel."""
    files = shipped_files()
    text = files["perks.yaml"].replace("hotel.600, when: score >= 600", f"hotel.600, when: score >= {points}")
    assert text != files["perks.yaml"]
    return {**files, "perks.yaml": text}


def shorter() -> Mapping[str, str]:
    """The shipped rules, with an answer about a hotel that holds for a shorter time: each of their cases still passes."""
    files = shipped_files()
    return {**files, "perks.yaml": files["perks.yaml"].replace("valid_hours: 24", "valid_hours: 23", 1)}


class ChangeStory:
    """Mei, who proposes, and the server that checks. Others sign in the browser."""

    def __init__(self, context: AppContext) -> None:
        record_release(context.database, context.release, clock.micros(clock.now()), shipped_files())
        self.client = ProposalClient(context, with_keys=False)
        self.mei, self.bo = Party(self.client, "operator", "mei"), Party(self.client, "approver", "bo")

    def draft(self, files: Mapping[str, str] | None = None, message: str = MESSAGE, **fields: Any) -> int:
        """A proposal of Mei that nobody has checked."""
        body = {"files": dict(files or stricter()), "message": message, **fields}
        return int(self.mei.take("proposals", body)["number"])

    def check(self, number: int, files: Mapping[str, str] | None = None) -> None:
        """What the server does in the background; the check itself has its own tests."""
        self.client.pass_check(number, files or stricter())
        self.client.check()

    def approved(self, **fields: Any) -> int:
        """A proposal that both signed with keys of files."""
        for party in (self.mei, self.bo):
            party.register()
        number = self.draft(**fields)
        self.check(number)
        self.mei.take(f"proposals/{number}/submission", self.mei.signature(number))
        self.bo.take(f"proposals/{number}/approval", self.bo.signature(number))
        return number
