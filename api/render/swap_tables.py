"""Show a swap report as tables: on a terminal, or as one self-contained HTML file without scripts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.render.markup import element
from engine.changes.swap_report import LESS, MORE, OTHER, SwapCounts, SwapReport, plain_rows
from engine.lang.model.types import Type, format_value

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLE = (
    "body{font:15px system-ui,sans-serif;color:#1f2933;background:#ffffff;margin:1.5rem;max-width:70rem} "
    "table{border-collapse:collapse;margin:1rem 0} caption{text-align:left;font-weight:bold} "
    "th,td{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #d0d6dd} "
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
)
DIRECTIONS = {MORE: "more waived", LESS: "less waived", OTHER: "same amount"}
BAND_DIRECTIONS = {MORE: "higher score", LESS: "lower score", OTHER: "same score"}


@dataclass(frozen=True)
class ReportTable:
    """A table: its title, the names of its columns, and its rows. All columns but the first `texts` have numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def sections(report: SwapReport) -> Iterator[tuple[str, tuple[ReportTable, ...]]]:
    """A sentence and its tables, for the bands of the score and for each perk."""
    if report.bands:
        yield _bands_line(report, report.bands), tuple(_tables(report.bands, report.unit, "band"))
    for perk in report.perks:
        yield _perk_line(report, perk), tuple(_tables(perk, report.unit, "outcome"))


def _bands_line(report: SwapReport, bands: SwapCounts) -> str:
    return f"score: {bands.moved_total:,} of {bands.total:,} {report.unit} get another band"


def _perk_line(report: SwapReport, perk: SwapCounts) -> str:
    before, after = (_money(perk, amount) for amount in (perk.waived_before, perk.waived_after))
    question = f", each asked for {_money(perk, perk.amount)}" if perk.amount is not None else ""
    return f"{perk.name}: {perk.moved_total:,} of {perk.total:,} {report.unit} are moved{question}; waived {before} -> {after}"


def _money(perk: SwapCounts, amount: int) -> str:
    text = format_value(abs(amount), Type("money", perk.digits, currency=perk.currency))
    number, _, currency = text.partition(" ")
    whole, point, rest = number.partition(".")
    return f"{'-' if amount < 0 else ''}{int(whole):,}{point}{rest} {currency}"


def _tables(counts: SwapCounts, unit: str, noun: str) -> Iterator[ReportTable]:
    if not counts.moved_total:
        return
    yield _matrix(counts, unit, noun)
    directions = BAND_DIRECTIONS if noun == "band" else DIRECTIONS
    heads = tuple(directions.values())
    for title, counter in (
        ("by rule", counts.by_account),
        ("by band before", counts.by_band),
        ("by reason", counts.by_reason),
    ):
        if counter:
            rows = ((str(r["name"]), *(f"{r[d]:,}" for d in directions)) for r in plain_rows(counter))
            yield ReportTable(title, (title.partition(" ")[2], *heads), tuple(rows))
    for name in sorted(counts.group_sizes):
        group_rows = tuple(
            (value, f"{row['people']:,}", *(f"{row.get(d, 0):,}" for d in directions))
            for value, row in counts.groups(name).items()
        )
        yield ReportTable(f"by {name}", (name, unit, *heads), group_rows)
    if counts.sample:
        sample_rows = tuple(
            (
                p.person,
                p.old_outcome,
                p.new_outcome,
                p.account,
                _money(counts, p.old_waived),
                _money(counts, p.new_waived),
            )
            for p in counts.sample
        )
        columns = ("person", "old", "new", "rule", "waived before", "waived after")
        yield ReportTable("a sample of those moved", columns, sample_rows, texts=4)


def _matrix(counts: SwapCounts, unit: str, noun: str) -> ReportTable:
    old_names = sorted({old for old, _ in counts.matrix})
    new_names = sorted({new for _, new in counts.matrix})
    rows = ((old, *(f"{counts.matrix[old, new]:,}" for new in new_names)) for old in old_names)
    return ReportTable(f"{unit} by {noun}: old in rows, new in columns", (noun, *new_names), tuple(rows))


def as_text(report: SwapReport) -> Iterator["RenderableType"]:
    """The report for a terminal."""
    yield from _heads(report)
    for line, tables in sections(report):
        yield ""
        yield line
        for table in tables:
            yield _rich_table(table)


def _heads(report: SwapReport) -> Iterator[str]:
    yield f"{report.old[:12]} -> {report.new[:12]}: {len(report.lines)} differences"
    yield from (f"  {line}" for line in report.lines)
    if report.perks:
        yield _scope(report)


def _scope(report: SwapReport) -> str:
    return f"people as of {report.as_of}" if report.unit == "people" else f"{report.unit} from {report.as_of}"


def _rich_table(table: ReportTable) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    view = Table(*table.columns, title=table.title, title_justify="left")
    for column in view.columns[table.texts :]:
        column.justify = "right"
    for row in table.rows:
        view.add_row(*map(Text, row))
    return view


def as_html(report: SwapReport) -> str:
    """The text of a self-contained HTML file of the report."""
    title = f"Change of rules {report.old[:12]} to {report.new[:12]}"
    head = element("head", element("meta", charset="utf-8"), element("title", title), element("style", STYLE))
    differences = element("ul", *(element("li", line) for line in report.lines))
    content: list[Element] = [element("h1", title), element("h2", "Differences"), differences]
    if report.perks:
        content.append(element("p", _scope(report)))
    for line, tables in sections(report):
        content += [element("h2", line), *(_html_table(table) for table in tables)]
    page = ElementTree.tostring(element("html", head, element("body", *content), lang="en"), encoding="unicode")
    return f"<!DOCTYPE html>\n{page}\n"


def _html_table(table: ReportTable) -> Element:
    head = element("tr", *(element("th", c, scope="col", **_kind(n, table)) for n, c in enumerate(table.columns)))
    body = [
        element("tr", *(element("td", cell, **_kind(n, table)) for n, cell in enumerate(row))) for row in table.rows
    ]
    return element("table", element("caption", table.title), element("thead", head), element("tbody", *body))


def _kind(column: int, table: ReportTable) -> Mapping[str, Any]:
    return {"class_": "n"} if column >= table.texts else {}
