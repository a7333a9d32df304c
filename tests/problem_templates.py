"""Texts of problems that the engine, the evidence and the import write, as templates: `{0}`, `{1}` stand for the values in them.

We read them from the source, so none is forgotten: each text of these modules has a translation, or a reason to have none.
"""

import ast
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from tests.paths import ROOT

SOURCES: Final = (
    "engine/lang/check",
    "engine/lang/syntax",
    "engine/lang/model/currencies.py",
    "engine/lang/model/identifiers.py",
    "engine/lang/model/timezones.py",
    "engine/lang/model/types.py",
    "engine/verify/prove/conditions.py",
    "engine/verify/prove/falls.py",
    "engine/verify/prove/gaps.py",
    "engine/verify/prove/lines.py",
    "engine/verify/prove/orders.py",
    "engine/verify/prove/perks.py",
    "engine/verify/prove/scorecards.py",
    "engine/verify/prove/verdicts.py",
    "engine/verify/case_assertions.py",
    "engine/verify/case_values.py",
    "engine/verify/cases.py",
    "engine/verify/feature_cases.py",
    "engine/decide/unmet_conditions.py",
    "engine/decide/questions.py",
    "engine/rollout/plan.py",
    "graph/evidence/declared_fields.py",
    "graph/evidence/event_checks.py",
    "graph/evidence/events.py",
    "api/evidence/json_rows.py",
)
# Modules whose texts are no part of a problem: forms of rule files, patterns, words that the editor explains.
WITHOUT_PROBLEMS: Final = frozenset(
    f"engine/lang/syntax/{name}.py"
    for name in ("canonical", "comments", "entry_lines", "json_schema", "key_docs", "printer", "scalars")
) | {"engine/lang/check/policy_changes.py"}
# Texts of the other modules that are code: pieces of YAML or of rules, patterns.
CODE: Final = re.compile(
    r"\n|\(\?|\[\^|^\^|\[0-9|\[!-~|\\t|^\{0\} [<=>]|^kind: |^1970-|^- \{|^\[\{|\[\\\\t|^\[ \\t|\[A-Za-z\]"
)
NO_PROBLEM: Final = frozenset(
    {
        "expected ','",
        "_EntryPlace | None",
        # parts of texts that `COMPOSED` has whole
        *(
            "{0} are",
            "{0} is",
            "is met only if",
            "is met whenever",
            "a part of ",
            "a part of {0} changes nothing: `{1}` {2}",
        ),
        *(
            "{0}{1} changes nothing: everyone who gets there meets `{2}`",
            "a step of",
            "the tier `{0}` waives up to",
            " in force",
        ),
        *(
            "{0} {1}, but no deposit of `{2}` is over {3}",
            "{0} to {1}",
            "nobody gets a score",
            "amounts in {0} have {1}",
        ),
        *("`{0}` waives", "we waive", "the tier `{0}` waives {1} at the score {2}, but {3} {4} at {5}"),
        *(
            "unknown field `{0}`: ",
            "`{0}` is out of bounds: use a number from {1}",
            "in `fields`: {}",
            "{0}unknown key {1} ({2})",
        ),
        *(
            "`service` {0} names no merchant's service{1}",
            "{0} can never be reached or is 0 (give a bound that a release can break)",
        ),
        *("{0} is no exact number ({1})", "`guards.{0}.{1}`: {2}"),
        ": write `merchant/service`, as the answer to PUT /v1/services/{id} names it",
        *("at most {0} digits after the point", "no digits after the point"),
        *("{0} {1} {2} has no meaning", "{0} {1} {2} has no meaning: their currencies differ"),
    }
)
# Texts that the code puts together from parts without words.
COMPOSED: Final = (
    "`{0}` {1}",
    "`{0}` is",
    "`{0}: {1}`: {2}",
    "`{0}` or `{1}`",
    "`{0}` or `{1}` or `{2}`",
    "{0} (U+{1})",
    "`{0}` is {1}",
    "begins or ends with a blank",
    "is not in Unicode's normalization form C",
    "{0} + {1} has no meaning",
    "{0} - {1} has no meaning",
    "{0} * {1} has no meaning",
    "{0} + {1} has no meaning: their currencies differ",
    "{0} - {1} has no meaning: their currencies differ",
    "{0} in {1}",
    "a part of {0} changes nothing: everyone who gets there meets `{1}`",
    "a part of {0} changes nothing: `{1}` is met only if {2} are",
    "a part of {0} changes nothing: `{1}` is met only if {2} is",
    "a part of {0} changes nothing: `{1}` is met whenever {2} are",
    "a part of {0} changes nothing: `{1}` is met whenever {2} is",
    "a step of {0}, but no deposit of `{1}` is over {2}",
    "the tier `{0}` waives up to {1}, but no deposit of `{2}` is over {3}",
    "nobody gets a score: nobody who meets its other parts meets `{0}`",
    "nobody gets a score: no values within the bounds meet `{0}`",
    "nobody gets a score: `{0}` is unknown for everyone",
    "the tier `{0}` waives {1} at the score {2}, but `{3}` waives {4} at {5}",
    "the tier `{0}` waives {1} at the score {2}, but we waive {3} at {4}",
    "amounts in {0} have no digits after the point",
    "amounts in {0} have at most {1} digits after the point",
    "{0} changes nothing: everyone who gets there meets `{1}`",
    "there is no file of the kind `{0}` in force",
    "the body {0}",
    "is missing",
    "does not belong here",
    "is not JSON",
    "has characters that do not belong there",
    "should be text",
    "should have at most {0} characters",
    "should have at least {0} characters",
    "should have at most {0} items",
    "should have at least {0} items",
    "should be a list",
    "should say its time zone, as 2026-01-31T09:30:00Z does",
    "should be an object",
    "should be a whole number",
    "should be true or false",
    "should be a day such as 2026-01-31",
    "should be a time such as 2026-01-31T09:30:00Z",
    "see /docs for what belongs there",
    "in `fields`: {0}",
    "unknown field `{0}`: {1}",
    "`{0}` is there twice",
    "`{0}` is out of bounds: use a number from {1} to {2}",
    "`service` {0} names no merchant's service: write `merchant/service`, as the answer to PUT /v1/services/{id} names it",
    "`guards.{0}.{1}`: {2} can never be reached or is 0 (give a bound that a release can break)",
    "`guards.{0}.{1}`: {2} is no exact number ({3})",
    'write a text such as "5%", with at most four decimals',
    'write a text such as "0.2", with at most six decimals',
    "unknown key {0} ({1})",
    "`{0}`: unknown key {1} ({2})",
    *("met", "unknown"),
    *(
        "below",
        "dimension",
        "event",
        "events",
        "added",
        "another order",
        "feature",
        "file removed",
        "flag",
        "knock-out",
        "list",
        "new file",
        "perk",
        "refusal",
        "removed",
        "tier",
        "neighbours",
        "reason",
        "state",
        "text",
        "this",
        "those",
        "ties",
    ),
)
MIN_LETTERS: Final = 3


def problem_templates() -> dict[str, str]:
    """Each template, and the module that holds it."""
    places = dict.fromkeys(COMPOSED, "tests/problem_templates.py")
    for path in _modules():
        for template in _templates(ast.parse(path.read_text(encoding="utf-8"))):
            if _is_text(template):
                places.setdefault(template, str(path.relative_to(ROOT)))
    return places


def _modules() -> Iterator[Path]:
    for source in SOURCES:
        place = ROOT / source
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            if str(path.relative_to(ROOT)) not in WITHOUT_PROBLEMS:
                yield path


def _is_text(template: str) -> bool:
    words = re.sub(r"\{\d+\}", "", template)
    return (
        " " in template.strip()
        and len(re.findall("[a-z]", words)) >= MIN_LETTERS
        and re.search(r"[a-z]{2}", words) is not None
        and template not in NO_PROBLEM
        and CODE.search(template) is None
    )


def _templates(tree: ast.Module) -> Iterator[str]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assert | ast.AnnAssign) and not getattr(node, "value", None):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_message":
            yield _joined([part for argument in node.args for part in _parts(argument)])
        elif isinstance(node, ast.JoinedStr):
            yield _joined(_parts(node))
            waiting.extend(part.value for part in node.values if isinstance(part, ast.FormattedValue))
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _parts(node: ast.expr) -> list[str | None]:
    """The literal parts of a text; None for each value."""
    if isinstance(node, ast.JoinedStr):
        return [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
    return [node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None]


def _joined(parts: list[str | None]) -> str:
    numbers = count()
    return "".join(f"{{{next(numbers)}}}" if part is None else part for part in parts)


if __name__ == "__main__":
    for text, place in problem_templates().items():
        print(f"{place}\t{text}")
