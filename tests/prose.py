"""Count words of the project's prose: `python -m tests.prose`.

For each part of the project we print, per 100 words, how often `who`, `what`, `whoever` and `whatever` occur, and how often `you`
and `we`, beside the figures of the projects that we took as models. `--pages` lists the pages, worst first.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.paths import DOCS, ROOT

PACKAGES: Final = ("engine", "graph", "api", "iftah")
IDIOM: Final = {"who", "what", "whoever", "whatever"}
READER: Final = {"you", "we", "your", "our", "us"}
MESSAGES: Final = "messages and help texts"
MESSAGE_WORDS: Final = 4
MAX_IDIOM, MIN_READER = 0.6, 1.0  # per 100 words
MODELS: Final = ("models (httpx, attrs, narwhals, structlog)", "0.1-0.5", "1.1-4.1")


@dataclass(frozen=True)
class WordCount:
    """Words, and how many of them are idiom and how many address the reader."""

    words: int = 0
    idiom: int = 0
    reader: int = 0

    def __add__(self, other: "WordCount") -> "WordCount":
        return WordCount(self.words + other.words, self.idiom + other.idiom, self.reader + other.reader)

    @property
    def idiom_rate(self) -> float:
        """Per 100 words."""
        return 100 * self.idiom / max(1, self.words)

    @property
    def reader_rate(self) -> float:
        """Per 100 words."""
        return 100 * self.reader / max(1, self.words)


def count(text: str) -> WordCount:
    """The count of a text."""
    words = re.findall(r"[a-z']+", text.lower())
    return WordCount(len(words), sum(w in IDIOM for w in words), sum(w in READER for w in words))


def page(path: Path) -> str:
    """The prose of a Markdown page: without code, tables of figures and links' targets."""
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)


def docstrings(path: Path) -> Iterator[str]:
    """The docstrings and comments of a module."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield re.sub(r"`[^`]*`", "", ast.get_docstring(node) or "")
    yield from re.findall(r"(?:^|\s)# (.*)$", source, flags=re.MULTILINE)


def messages(path: Path) -> Iterator[str]:
    """The messages, hints and help texts of a module: its texts of four words and more, without those in backticks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, documented))
    docs = {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else "``" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docs | parts):
            text = node.value
        else:
            continue
        prose = re.sub(r"`[^`]*`", "", text)
        if len(re.findall(r"\b[a-z]+ ", prose)) >= MESSAGE_WORDS and not re.search(r"[=<>{}\\]|SELECT|::", prose):
            yield prose


def pages() -> dict[Path, WordCount]:
    """The count of each page."""
    paths = [ROOT / "README.md", *(DOCS).rglob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    return {path: count(page(path)) for path in sorted(paths) if path.exists()}


@cache
def parts() -> dict[str, WordCount]:
    """The count of each part: pages, decision records, docstrings and comments of each package, messages."""
    by_page = pages()
    records = {path for path in by_page if path.parent.name == "decisions"}
    counts = {
        "README, guides and references": sum((c for p, c in by_page.items() if p not in records), WordCount()),
        "decision records": sum((c for p, c in by_page.items() if p in records), WordCount()),
    }
    for package in PACKAGES:
        texts = (text for path in (ROOT / package).rglob("*.py") for text in docstrings(path))
        counts[f"docstrings and comments of {package}"] = sum(map(count, texts), WordCount())
    modules = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    counts[MESSAGES] = sum((count(text) for path in modules for text in messages(path)), WordCount())
    return counts


def main() -> None:
    """Print the table."""
    print(f"{'':45} {'words':>7} {'who/what':>9} {'you/we':>7}   per 100 words")
    for name, total in parts().items():
        print(f"{name:45} {total.words:7,} {total.idiom_rate:9.2f} {total.reader_rate:7.2f}")
    print(f"{MODELS[0]:45} {'':7} {MODELS[1]:>9} {MODELS[2]:>7}")
    if "--pages" in sys.argv:
        for path, total in sorted(pages().items(), key=lambda pair: -pair[1].idiom_rate):
            print(f"{total.idiom_rate:5.2f} {total.reader_rate:5.2f} {total.words:6,}  {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
