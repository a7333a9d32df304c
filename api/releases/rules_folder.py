"""The folder of rule files: read it, check it, and load it as a release. A check needs no database.

A half-written folder must never make decisions. So a server loads the folder only after a quiet period. If you put a manifest
beside the files, we load the folder only when every file matches the manifest, however long a copy takes.
"""

import hashlib
import re
import time
from pathlib import Path
from typing import Final

from engine.errors import Rejected
from engine.lang.model.program import Release
from graph.evidence.vocabulary import EventVocabulary
from iftah.catalogue import vocabulary_of
from iftah.rules_folder import check_folder, load_evidence, load_folder, rule_files, rule_paths

__all__ = [
    "MANIFEST",
    "Signature",
    "check_folder",
    "folder_signature",
    "load_folder",
    "load_vocabulary",
    "load_when_quiet",
    "manifest_problems",
    "rule_files",
    "rule_paths",
]
MANIFEST: Final = "SHA256SUMS"  # the output of `sha256sum *.yaml lists/*.yaml > SHA256SUMS`; write it last
_MANIFEST_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")
QUIET_SECONDS: Final = 1.0  # without a change; then we take the folder to be saved
MAX_LOAD_ATTEMPTS: Final = 60  # to find the folder quiet

Signature = tuple[tuple[str, int, int], ...]  # name, size and time of change (ns) of each rule file and the manifest


def load_vocabulary(folder: Path) -> EventVocabulary:
    """The vocabulary of evidence that the folder declares, without a look at its other files. Raises RulesError."""
    return vocabulary_of(load_evidence(folder))


def folder_signature(folder: Path) -> Signature:
    """A signature that changes with the folder's content. We do not read the files."""
    entries = [(".", int(folder.is_dir()), 0)]
    for name, path in (*rule_paths(folder), (MANIFEST, folder / MANIFEST)):
        try:
            stat = path.stat()
        except OSError:  # deleted since, or there is no manifest
            continue
        entries.append((name, stat.st_size, stat.st_mtime_ns))
    return tuple(entries)


def manifest_problems(folder: Path) -> tuple[str, ...]:
    """The differences between the folder and its manifest, a line each; none without a manifest. Raises Rejected if we cannot
    read the manifest.
    """
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError):
        raise Rejected("the manifest cannot be read", where=MANIFEST, code="rules_refused") from None
    expected = {match[2]: match[1] for line in lines if (match := _MANIFEST_LINE.fullmatch(line))}
    actual = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in rule_paths(folder)}
    problems = {
        name: "is not what the manifest says" for name, sum_ in actual.items() if expected.get(name, sum_) != sum_
    }
    problems |= dict.fromkeys(actual.keys() - expected.keys(), "is not in the manifest")
    problems |= {
        name: "is in the manifest and not there" for name in expected.keys() - actual.keys() if name.endswith(".yaml")
    }
    return tuple(f"{name} {problem}: {MANIFEST} is to be written last" for name, problem in sorted(problems.items()))


def load_when_quiet(folder: Path, quiet: float = QUIET_SECONDS) -> tuple[Release, dict[str, str]]:
    """Load a release and its files, with cases, once the folder is quiet. Raises RulesError or Rejected `rules_refused`."""
    problems: tuple[str, ...] = ()
    for _ in range(MAX_LOAD_ATTEMPTS):
        previous = folder_signature(folder)
        age = time.time() - max((changed_ns / 1e9 for _, _, changed_ns in previous), default=0)
        if 0 <= age < quiet:
            time.sleep(quiet - age)
            if folder_signature(folder) != previous:
                continue  # somebody still writes: what is there now may be half of a file
        if not (problems := manifest_problems(folder)):
            release, (texts, _) = load_folder(folder), rule_files(folder)
            if folder_signature(folder) == previous:
                return release, texts
    problem = problems[0] if problems else "it keeps changing"
    raise Rejected(f"the rules folder is incomplete: {problem}", where=str(folder), code="rules_refused")
