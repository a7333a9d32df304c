"""Hook of MkDocs: pages of the site from files outside `docs/`, and links that work there.

A link of a document may lead to a file of the checkout, such as a rule file or a module. We add a page with that file's text for each such
link. So the site needs no copy of the repository elsewhere, and has no dead link.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
# Documents at the top level of the checkout -> their pages.
TOP_PAGES: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
ORIGINS: Final = {page: document for document, page in TOP_PAGES.items()}
LINK: Final = re.compile(r"(?<=\]\()([^)#\s]+)")
FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
FENCE_INFO: Final = re.compile(r"^(```\w+) .+$", re.MULTILINE)  # more than the language: marks for our tests
LANGUAGES: Final = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json", "": "text"}


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages of the top-level documents, and one for each file outside `docs/` that a document links to."""
    from mkdocs.structure.files import File

    texts = {document: (ROOT / document).read_text(encoding="utf-8") for document in TOP_PAGES}
    for document, page in TOP_PAGES.items():
        files.append(File.generated(config, page, content=texts[document]))
    for path in sorted((ROOT / "docs").rglob("*.md")):
        texts[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    for target in sorted({target for document, text in texts.items() for target in outside_targets(document, text)}):
        files.append(File.generated(config, page_of(target), content=source_page(target)))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:  # noqa: ARG001
    """Let the links of a page lead to pages of the site."""
    uri = page.file.src_uri
    if uri.startswith("source/"):
        return markdown
    return rewrite(ORIGINS.get(uri, f"docs/{uri}"), uri, FENCE_INFO.sub(r"\1", markdown))


def outside_targets(document: str, text: str) -> Iterator[str]:
    """The files and folders that a document links to and that `docs/` does not hold, as paths in the checkout."""
    for target in LINK.findall(FENCE.sub("", text)):
        path = checkout_path(document, target)
        if path and path not in TOP_PAGES and not path.startswith("docs/"):
            yield path


def checkout_path(document: str, target: str) -> str:
    """The path in the checkout that a link of a document means; empty for an address."""
    if "://" in target or target.startswith("mailto:"):
        return ""
    return os.path.normpath(Path(document).parent / target).replace(os.sep, "/")


def page_of(path: str) -> str:
    """The site's page, or file, of a path in the checkout."""
    if path in TOP_PAGES:
        return TOP_PAGES[path]
    if path.startswith("docs/"):
        inside = path.removeprefix("docs/")
        return f"{inside}/README.md" if (ROOT / path).is_dir() else inside
    return f"source/{path}/index.md" if (ROOT / path).is_dir() else f"source/{path}.md"


def rewrite(document: str, page: str, markdown: str) -> str:
    """The text with each link of `document` made a link of its `page`; blocks of code stay."""

    def relative_link(match: re.Match[str]) -> str:
        path = checkout_path(document, match[0])
        return os.path.relpath(page_of(path), Path(page).parent).replace(os.sep, "/") if path else match[0]

    parts, position = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [LINK.sub(relative_link, markdown[position : fence.start()]), fence[0]]
        position = fence.end()
    return "".join([*parts, LINK.sub(relative_link, markdown[position:])])


def source_page(path: str) -> str:
    """A page with a file's text, or with the names in a folder."""
    place = ROOT / path
    if place.is_dir():
        names = sorted(
            f"{p.name}/" if p.is_dir() else p.name for p in place.iterdir() if not p.name.startswith(("__", "."))
        )
        return f"# `{path}/`\n\n" + "".join(f"- `{name}`\n" for name in names)
    text = place.read_text(encoding="utf-8")
    fence = "`" * (3 + max(map(len, re.findall(r"`{3,}", text)), default=0))
    return f"# `{path}`\n\n{fence}{LANGUAGES.get(place.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"
