"""Print which branches of the rules no case tries, and cases that try them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from api.releases.catalogue import kinds
from api.releases.findings import display_path, printable
from engine.lang.model.program import Release
from engine.verify.case_search import MAX_DRAWS
from engine.verify.case_text import WrittenCase, write_cases
from engine.verify.cases import CaseOutcome
from engine.verify.coverage import BranchCoverage, coverage, percentage


def print_coverage(
    folder: Path, texts: Mapping[str, str], release: Release, outcomes: Sequence[CaseOutcome], least: int | None
) -> bool:
    """Print the coverage of a folder's rules by its cases. Returns whether it is at least so many percent; None: any.

    `texts` are those of all files of the folder, `outcomes` those of all its cases.
    """
    items = coverage(release, outcomes)
    missing = [item for item in items if not item.is_tried]
    share = percentage(items)
    print(f"coverage: {len(items) - len(missing)} of {len(items)} branches, {_floor(share)} %")
    written = write_cases(release, texts, kinds(), missing)
    for item, case in written:
        place = f"{display_path(folder / item.at.file)}:{item.at.line}:{item.at.column}"
        note = "" if case else f": no case found in {MAX_DRAWS} draws"
        print(f"{place} {printable(item.text)}{note}")
    _print_cases(folder, [(item, case) for item, case in written if case])
    is_covered = least is None or share >= least
    if not is_covered:
        print(f"coverage is below {least} %")
    return is_covered


def _floor(share: float) -> str:
    """One digit after the point, rounded down: only complete coverage is 100.0."""
    return f"{int(share * 10) / 10:.1f}"


def _print_cases(folder: Path, written: Sequence[tuple[BranchCoverage, WrittenCase]]) -> None:
    """The cases by file, each once, after comments that name the branches it tries."""
    by_file: dict[str, dict[str, list[BranchCoverage]]] = {}
    heads: dict[str, str] = {}
    for item, case in written:
        by_file.setdefault(case.file, {}).setdefault(case.text, []).append(item)
        heads[case.file] = case.head
    for file, by_text in by_file.items():
        print(
            f"\nadd to {display_path(folder / file)}, under `cases`; each expects what the rules give now, so read it first:"
        )
        print(heads[file], end="")
        for text, items in by_text.items():
            for item in items:
                print(f"  # {item.at.file}:{item.at.line} {printable(item.text)}")
            print(text, end="")
