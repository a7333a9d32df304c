"""Parse: from a file's text to what it says."""

from engine.lang import source
from engine.lang.forms import KINDS
from engine.lang.lines import RuleFile
from engine.lang.problems import Report, Span
from engine.lang.shapes import suggestion
from engine.lang.source import Mapping, Scalar


def parse(file: str, text: str, report: Report) -> RuleFile | None:
    """What the file says, without the lines that cannot be read; None when too little can. `report` has every reason."""
    root = source.read(file, text, report)
    return None if root is None else meant(file, root, report)


def meant(file: str, root: source.Node, report: Report) -> RuleFile | None:
    """What the tree of a file says; see `parse`."""
    kind = _kind(root, file, report)
    if kind is None:
        return None
    assert isinstance(root, Mapping)  # noqa: S101 - `_kind` found the key
    rest = Mapping(tuple(e for e in root.entries if e[0].text != "kind"), root.at)
    read: RuleFile | None = KINDS[kind].read(rest, report)
    return read


def _kind(root: source.Node, file: str, report: Report) -> str | None:
    if not isinstance(root, Mapping):
        report.add("R012", "a rule file is keys with values", root.at, "begin with `kind:`")
        return None
    for key, value in root.entries:
        if key.text == "kind" and isinstance(value, Scalar) and value.text in KINDS:
            return value.text
        if key.text == "kind":
            seen = value.text if isinstance(value, Scalar) else "this"
            report.add("R014", f"`{seen[:60]}` is not a kind of rule file", value.at, suggestion(seen, KINDS))
            return None
    report.add(
        "R014", "`kind` is missing: what kind of rule file is this?", Span(file), f"use one of {', '.join(KINDS)}"
    )
    return None
