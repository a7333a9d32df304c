"""The folder of rule files: read, checked, and loaded as a release. Without the database, which a check does not need.

Half a folder must never decide. So what is to serve is taken when it has been quiet for a while; and where a manifest lies
beside the files, only when every file is what the manifest says, however long a copy takes.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from api.catalogue import kinds, schema
from engine.errors import Refused
from engine.lang.check import check, release_of
from engine.lang.problems import Problem, Span
from engine.lang.program import Release

PATTERNS: Final = ("*.yaml", "lists/*.yaml")
MANIFEST: Final = "SHA256SUMS"  # as `sha256sum *.yaml lists/*.yaml > SHA256SUMS` writes it; written last
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")
QUIET: Final = 1.0  # seconds without a change after which a folder is taken to be saved
TRIES: Final = 60  # to find it so

Signature = tuple[tuple[str, int, int], ...]  # name, bytes and time of change of each rule file, and of the manifest


def rule_paths(folder: Path) -> Iterator[tuple[str, Path]]:
    """The folder's rule files, each by its name from there, such as `lists/cities.yaml`."""
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def signature(folder: Path) -> Signature:
    """What tells one state of the folder from another without reading it."""
    found = [(".", int(folder.is_dir()), 0)]
    for name, path in (*rule_paths(folder), (MANIFEST, folder / MANIFEST)):
        try:
            about = path.stat()
        except OSError:  # it has gone since, or there is no manifest
            continue
        found.append((name, about.st_size, about.st_mtime_ns))
    return tuple(found)


def unfinished(folder: Path) -> tuple[str, ...]:
    """Where the folder is not what its manifest says, a line each; nothing where there is none. Raises Refused."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError):
        raise Refused("the manifest cannot be read", where=MANIFEST, code="rules_refused") from None
    sums = {found[2]: found[1] for line in lines if (found := _LINE.fullmatch(line))}
    there = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in rule_paths(folder)}
    wrong = {name: "is not what the manifest says" for name, sum_ in there.items() if sums.get(name, sum_) != sum_}
    wrong |= dict.fromkeys(there.keys() - sums.keys(), "is not in the manifest")
    wrong |= {name: "is in the manifest and not there" for name in sums.keys() - there.keys() if name.endswith(".yaml")}
    return tuple(f"{name} {said}: {MANIFEST} is to be written last" for name, said in sorted(wrong.items()))


def load_settled(folder: Path, quiet: float = QUIET) -> tuple[Release, dict[str, str]]:
    """The release in a folder that nobody is writing, and its files with the cases: what is to serve. Raises RulesError or
    Refused.
    """
    for _ in range(TRIES):
        before = signature(folder)
        age = time.time() - max((changed / 1e9 for _, _, changed in before), default=0)
        if 0 <= age < quiet:
            time.sleep(quiet - age)
        if not (wrong := unfinished(folder)):
            release, (texts, _) = load(folder), rule_files(folder)
            if signature(folder) == before:
                return release, texts
    what = wrong[0] if wrong else "it changes all the time"
    raise Refused(f"the rules folder is not whole: {what}", where=str(folder), code="rules_refused")


def rule_files(folder: Path) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The texts of the folder's rule files by name, and those that are no text. Raises Refused for no folder or no file."""
    if not folder.is_dir():
        hint = "name the folder of rule files with IFTAH_RULES"
        raise Refused("there is no such folder", where=str(folder), hint=hint, code="no_rules")
    texts, problems = {}, []
    for name, path in rule_paths(folder):
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            problems.append(Problem("R008", f"byte {error.start} is not UTF-8", Span(name), "save the file as UTF-8"))
        except OSError as error:
            raise Refused(f"cannot be read: {error.strerror}", where=str(path), code="no_rules") from None
    if not texts and not problems:
        raise Refused(
            "there are no rule files", where=str(folder), hint="add trust.yaml and the others", code="no_rules"
        )
    return texts, tuple(problems)


def checked(folder: Path) -> tuple[dict[str, str], Release | None, tuple[Problem, ...]]:
    """The files, the release that they are, or everything that is wrong with them by place. Raises Refused for no file."""
    texts, unreadable = rule_files(folder)
    release, problems = check(texts, schema(), kinds())
    return texts, None if unreadable else release, tuple(sorted((*unreadable, *problems), key=lambda p: p.at))


def load(folder: Path) -> Release:
    """The release in the folder. Raises RulesError with every problem, or Refused."""
    texts, unreadable = rule_files(folder)
    if unreadable:
        raise Refused(str(unreadable[0]), where=str(folder), code="rules_invalid")
    return release_of(texts, schema(), kinds())
