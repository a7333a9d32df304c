"""Hook of MkDocs: the operations and schemas of docs/openapi.json, below the text of docs/http-api.md. No script of a third party."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "openapi.json"
PAGE: Final = "http-api.md"
Json = dict[str, Any]


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:  # noqa: ARG001
    """Add the operations to their page."""
    if page.file.src_uri != PAGE:
        return markdown
    return f"{markdown}\n{operations(json.loads(DOCUMENT.read_text(encoding='utf-8')))}"


def operations(openapi: Json) -> str:
    """The answers that all operations share, operations by tag, then the schemas."""
    parts = ["## Every operation\n", "\n".join([*answer_table(shared_answers(openapi)), ""])]
    for tag in openapi["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{sentence(tag['description'])}\n")
        parts += [
            operation(method, path, item)
            for path, methods in openapi["paths"].items()
            for method, item in methods.items()
            if tag["name"] in item["tags"]
        ]
    parts.append("## Schemas\n")
    parts += [schema_section(name, schema) for name, schema in sorted(openapi["components"]["schemas"].items())]
    return "\n".join(parts)


def shared_answers(openapi: Json) -> Json:
    """The answers that operations refer to, by status."""
    return {
        status: openapi["components"]["responses"][answer["$ref"].rsplit("/", 1)[-1]]
        for methods in openapi["paths"].values()
        for item in methods.values()
        for status, answer in item["responses"].items()
        if "$ref" in answer
    }


def operation(method: str, path: str, item: Json) -> str:
    """One operation: heading, text, parameters, body, answers."""
    lines = [
        f"### `{method.upper()} {path}` {{ #{item['operationId']} }}",
        "",
        sentence(item.get("description") or item["summary"]),
        "",
    ]
    if parameters := item.get("parameters"):
        lines += ["| parameter | in | type | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{p['name']}`{required(p.get('required'))} | {p['in']} | {type_of(p['schema'])} | {cell(p.get('description'))} |"
            for p in parameters
        ]
        lines.append("")
    if body := item.get("requestBody"):
        types = (f"{type_of(content.get('schema', {}))} (`{media}`)" for media, content in body["content"].items())
        lines += [f"Body: {', or '.join(types)}", ""]
    own_answers = {status: answer for status, answer in item["responses"].items() if "$ref" not in answer}
    return "\n".join([*lines, *answer_table(own_answers), ""])


def answer_table(answers: Json) -> list[str]:
    """The lines of a table of answers by status."""
    rows = (f"| {status} | {bodies(a)} | {cell(a['description'])} |" for status, a in sorted(answers.items()))
    return ["| status | body | meaning |", "|---|---|---|", *rows]


def schema_section(name: str, schema: Json) -> str:
    """One schema: its text, then its fields, or its values."""
    lines = [f"### {name} {{ #schema-{name.lower()} }}", "", sentence(schema.get("description", "")), ""]
    if fields := schema.get("properties"):
        needed = schema.get("required", [])
        lines += ["| field | type | meaning |", "|---|---|---|"]
        lines += [
            f"| `{f}`{required(f in needed)} | {type_of(s)} | {cell(s.get('description'))} |" for f, s in fields.items()
        ]
    else:
        lines.append(type_of(schema))
    return "\n".join([*lines, ""])


def bodies(answer: Json) -> str:
    """The types of an answer's bodies, each once."""
    return (
        ", ".join(dict.fromkeys(type_of(content.get("schema", {})) for content in answer.get("content", {}).values()))
        or "-"
    )


def type_of(schema: Json) -> str:
    """A schema in a few words, with links to the schemas that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#schema-{name.lower()})"
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(type_of, schema[key])))
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    types = schema.get("type", "any")
    return ", ".join([types if isinstance(types, str) else " or ".join(types), *bounds(schema)])


def bounds(schema: Json) -> Iterator[str]:
    """The bounds and the format of a plain value."""
    words = {"format": "", "minimum": "≥ ", "maximum": "≤ ", "minLength": "length ≥ ", "maxLength": "length ≤ "}
    yield from (f"{word}{schema[key]}" for key, word in words.items() if key in schema)


def required(yes: bool | None) -> str:
    """The mark of a parameter or field that must be there."""
    return " (required)" if yes else ""


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop, in one line."""
    text = " ".join(text.split())
    return text and text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def cell(text: str | None) -> str:
    """A text within a table."""
    return " ".join((text or "").split()).replace("|", "\\|")
