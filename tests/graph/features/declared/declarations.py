"""Build definitions from the text of a features file, beside the shipped rules."""

from functools import lru_cache

from engine.lang.check.release import check
from engine.lang.model.program import Program
from graph.features.declared.definition import FeatureDefinition
from iftah.catalogue import kinds
from iftah.declarations import feature_definitions
from iftah.shipped import shipped_schema
from tests.paths import RULES


@lru_cache(maxsize=64)
def program(text: str) -> Program:
    """The shipped rules with other features: `text` is the list of them."""
    files = {p.name: p.read_text(encoding="utf-8") for p in RULES.glob("*.yaml") if not p.name.endswith(".cases.yaml")}
    files |= {f"lists/{p.name}": p.read_text(encoding="utf-8") for p in RULES.glob("lists/*.yaml")}
    lines = "\n".join(f"  {line}" for line in text.strip("\n").split("\n"))
    files["features.yaml"] = f"kind: features\nfeatures:\n{lines}\n"
    release, problems = check(files, shipped_schema(), kinds())
    assert release is not None, "\n".join(map(str, problems))
    return release.programs[0]


def definitions(text: str) -> tuple[FeatureDefinition, ...]:
    return feature_definitions(program(text))
