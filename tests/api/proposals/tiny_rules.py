"""The smallest rules that pass every check: one feature, one characteristic, one perk, one case."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FILES: Final[Mapping[str, str]] = {
    "evidence.yaml": """\
kind: evidence
categories: [hire]
kinds:
  - id: payment.made
    about: The customer paid the shop
    class: behaviour
    other: required
    counts_for: each
    fields:
      amount: {type: money, required: true}
      category: {type: category}
""",
    "features.yaml": """\
kind: features
features:
  - id: behaviour.payments
    about: {en: Number of payments}
    of: payment.made
    measure: count
    missing: zero
    unit: payments
    direction: higher is better
""",
    "policy.yaml": """\
kind: policy
forbidden_classes: [religion]
forbidden_names: [religion]
restricted: []
relationships: []
relationships_share: 0
alarms: []
timezone: UTC
""",
    "reasons.yaml": """\
kind: reasons
languages: [en]
reasons:
  too_little: {en: There are too few payments.}
""",
    "trust.yaml": """\
kind: scorecard
score: {lowest: 0, highest: 100, base: 40}
scorable: {when: behaviour.payments >= 1, reason: too_little}
bands:
  - {name: new, from: 0}
  - {name: regular, from: 50}
dimensions: {behaviour: 100}
characteristics:
  - id: payments
    feature: behaviour.payments
    dimension: behaviour
    cuts: [2]
    points: [0, 20]
    missing: 0
    reason: too_little
rules: []
""",
    "perks.yaml": """\
kind: perks
perks:
  - id: bicycle
    about: A bicycle without a deposit
    currency: EUR
    most: 300 EUR
    valid_hours: 12
    knockouts: []
    tiers:
      - {id: bicycle.regular, when: score >= 50, waive: {share: 100}}
""",
    "perks.cases.yaml": """\
kind: cases
as_of: 2026-01-01
base: {behaviour.payments: 3}
cases:
  - {name: a regular pays no deposit, perk: bicycle, amount: 150 EUR, expect: {outcome: ADMIT, waived: 150 EUR}}
""",
}


def tiny_files(hours: int = 12, *, fails: bool = False) -> dict[str, str]:
    """The texts, with so many hours in which an answer is valid. `fails`: its case does not pass."""
    perks = FILES["perks.yaml"].replace("valid_hours: 12", f"valid_hours: {hours}")
    cases = FILES["perks.cases.yaml"].replace("base: {behaviour.payments: 3}", "base: {behaviour.payments: 1}")
    return {**FILES, "perks.yaml": perks} | ({"perks.cases.yaml": cases} if fails else {})


def write_folder(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files into a new folder. They are old enough for a server that starts."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        os.utime(folder / name, (0, 0))
    return folder


# Texts by name. `noted` differs from `twelve` by a comment alone, so both are the same release; the case of `failing` fails.
TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "twelve": tiny_files(12),
    "noted": {**tiny_files(12), "trust.yaml": FILES["trust.yaml"].replace("rules: []", "rules: [] # none yet")},
    "thirteen": tiny_files(13),
    "fourteen": tiny_files(14),
    "failing": tiny_files(15, fails=True),
}
