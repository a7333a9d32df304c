"""Rules with patterns: the shipped rules with flags over real kinds of events, each read by a rule."""

import json
from functools import cache
from typing import Any

from api.releases.catalogue import kinds, schema
from api.releases.rules_folder import rule_files
from engine.lang.check.release import release_of
from engine.lang.model.program import Release
from tests.paths import ROOT

FLAGS: tuple[dict[str, Any], ...] = (
    {"id": "missed", "steps": [{"event": "obligation.missed", "times": 2}], "within": "90d"},
    {
        "id": "one_bill",
        "steps": [{"event": "obligation.missed", "times": 2}],
        "within": "9000d",
        "same": ["obligation"],
    },
    {
        "id": "paid",
        "steps": [{"event": "payment.made", "role": "either", "times": 2}],
        "within": "400d",
        "lasts": "900d",
    },
    {"id": "paid_much", "steps": [{"event": "payment.made", "where": "amount >= 0.09 CNY"}], "within": "1d"},
    {"id": "got_paid", "steps": [{"event": "payment.made", "role": "other"}], "within": "1d"},
    {"id": "tied", "steps": [{"event": "tie.formed", "role": "either"}], "within": "1d"},
    {
        "id": "friend",
        "steps": [{"event": "payment.made"}, {"event": "tie.formed", "role": "either"}],
        **{"within": "9000d", "same": ["other"]},
    },
)


@cache
def release_with_flags() -> Release:
    """A release whose scorecard reads every flag of `FLAGS`; those of relationships may be worth something."""
    files, _ = rule_files(ROOT / "rules")
    watch = {"kind": "watch", "flags": [{"about": "something", **f} for f in FLAGS]}
    rule_rows = [
        {"id": f"w{n}", "dimension": "credit", "when": f"watch.{f['id']}", "points": 0, "reason": "missed_lately"}
        for n, f in enumerate(FLAGS)
    ]
    rules = "".join(f"  - {json.dumps(line)}\n" for line in rule_rows)
    trust = files["trust.yaml"].replace("\nrules:\n", f"\nrules:\n{rules}")
    perks = files["perks.yaml"].replace(" or watch.missed_thrice", "").replace("watch.overdue_twice", "false")
    edits = {"trust.yaml": trust, "perks.yaml": perks, "watch.yaml": json.dumps(watch)}
    return release_of({**files, **edits}, schema(), kinds())
