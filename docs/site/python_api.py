"""Hook of MkDocs: the modules of the Python API, below the text of docs/python-api.md.

mkdocstrings fills the page from the docstrings, without importing a module.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = "python-api.md"
# The library, and below it the modules that its functions call.
LIBRARY: Final = "iftah"
INSIDE: Final = (
    "engine.lang.model.program",
    "engine.lang.model.problems",
    "engine.decide.scorecard",
    "engine.decide.perks",
    "engine.decide.decide",
    "engine.decide.explain",
    "engine.decide.recourse",
    "graph",
    "graph.evidence.visibility",
    "graph.network.build",
    "graph.features.pipeline",
    "engine.errors",
)
INSIDE_HEAD: Final = "## Inside"  # of the part of the page before which the library belongs


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:  # noqa: ARG001
    """Add the modules to their page."""
    return with_modules(markdown) if page.file.src_uri == PAGE else markdown


def with_modules(markdown: str) -> str:
    """The text with the library before its part `Inside`, and with the modules inside at its end."""
    library = f"::: {LIBRARY}\n\n" if (ROOT / LIBRARY / "__init__.py").exists() else ""
    options = "    options:\n      heading_level: 3\n      show_root_full_path: true\n"
    inside = "\n".join(f"::: {name}\n{options}" for name in INSIDE)
    return f"{markdown.replace(INSIDE_HEAD, library + INSIDE_HEAD)}\n{inside}"
