"""Charts: each is well-formed, has its table behind it, and needs neither colour nor inline style."""

import csv
import io
import re
from datetime import date, timedelta
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.render import chart_parts
from api.render.charts import (
    Chart,
    ChartTable,
    ChartText,
    Interval,
    Mark,
    Series,
    bars,
    csv_of,
    histogram,
    intervals,
    lines,
    number,
    percent,
    ranking,
    sparkline,
)

SVG = "{http://www.w3.org/2000/svg}"
TEXT = ChartText("rates", "Admit rate", "The share of answers that admit, by day.", "Day")
DAYS = [date(2026, 9, 1) + timedelta(n) for n in range(5)]
TWO = [Series("hotel", [0.5, 0.6, None, 0.7, 0.8]), Series("<b>&car", [0.1, 0.2, 0.3, 0.4, 0.5], "partial")]
BANDS = [Interval("poor", 0.22, 0.15, 0.3, 0.2), Interval("good", None, None, None)]
CHARTS = {
    "lines": lines(TEXT, DAYS, TWO, percent),
    "bars": bars(TEXT, ["a", "b", "c", "d", "e"], TWO),
    "histogram": histogram(TEXT, [0, 1, 2, 3, 4, 5], TWO[0], TWO[1], [Mark(1, "fair"), Mark(4.9, "excellent")]),
    "ranking": ranking(TEXT, ["a", "b", "c", "d", "e"], TWO[0], [Mark(0.1, "watch"), Mark(0.25, "act")]),
    "intervals": intervals(TEXT, ("observed", "low", "high", "expected"), BANDS),
    "sparkline": sparkline(TEXT, DAYS, TWO[0]),
}
each_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)


def _parse(chart: Chart) -> Element:
    return ElementTree.fromstring(chart.markup)


def _texts(chart: Chart) -> list[str]:
    return [node.text or "" for node in _parse(chart).iter(f"{SVG}text")]


@each_chart
def test_a_chart_names_and_describes_itself(chart: Chart) -> None:
    svg = _parse(chart)
    by_id = {node.get("id"): node.text for node in svg.iter()}
    assert svg.get("role") == "img"
    assert by_id[svg.get("aria-labelledby")] == "Admit rate"
    assert by_id[svg.get("aria-describedby")] == "The share of answers that admit, by day."


@each_chart
def test_a_chart_has_no_style_and_no_script(chart: Chart) -> None:
    for node in _parse(chart).iter():
        assert node.tag not in {f"{SVG}style", f"{SVG}script"}
        assert not [name for name in node.attrib if name == "style" or name.startswith("on")]


@each_chart
def test_a_chart_refers_only_to_its_own_ids(chart: Chart) -> None:
    ids = [node.get("id") for node in _parse(chart).iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"rates-\S+", str(one)) for one in ids)
    assert {*re.findall(r"url\(#([^)]*)\)", chart.markup)} <= {*ids}


@each_chart
def test_no_text_is_smaller_than_eleven_pixels_on_a_phone(chart: Chart) -> None:
    svg = _parse(chart)
    if svg.get("class") == "plot":
        width = float(str(svg.get("viewBox")).split()[2])
        assert float(str(svg.get("font-size"))) * 366 / width >= 10.9  # 390 pixels less two margins of 12
        assert not [node for node in svg.iter() if node is not svg and node.get("font-size")]


@each_chart
def test_csv_repeats_the_table(chart: Chart) -> None:
    first, *rows = csv.reader(io.StringIO(chart.csv))
    assert tuple(first) == chart.table.columns
    assert rows == [["" if cell is None else str(cell) for cell in row] for row in chart.table.rows]


def test_the_table_has_a_row_for_each_category() -> None:
    assert CHARTS["lines"].table.columns == ("Day", "hotel", "<b>&car")
    assert CHARTS["lines"].table.rows[2] == (date(2026, 9, 3), None, 0.3)
    assert CHARTS["histogram"].table.rows[0] == ("0 – 1", 0.5, 0.1)
    assert CHARTS["intervals"].table.rows[0] == ("poor", 0.22, 0.15, 0.3, 0.2)


def test_a_missing_value_interrupts_the_line() -> None:
    path = next(node for node in _parse(CHARTS["lines"]).iter(f"{SVG}path") if node.get("class") == "line tone-1")
    assert [step[0] for step in re.findall("[ML][^ML]+", str(path.get("d")))] == ["M", "L", "M", "L"]


def test_series_differ_without_colours() -> None:
    dashes = [node.get("stroke-dasharray") for node in _parse(CHARTS["lines"]).iter(f"{SVG}path")]
    assert len({*dashes}) == 2
    assert _parse(CHARTS["bars"]).find(f"{SVG}defs/{SVG}pattern") is not None
    assert "<b>&car" in _texts(CHARTS["bars"])


def test_bars_stack_to_the_sum_of_their_series() -> None:
    boxes = [node.get("d") for node in _parse(CHARTS["bars"]).iter(f"{SVG}path") if "tone" in str(node.get("class"))]
    first, second = (re.match(r"M\S+ (\S+?)h\S+?v(\S+?)h", str(box)) for box in boxes[:2])
    assert first
    assert second
    top, height = float(second[1]), float(second[2])
    assert top + height == pytest.approx(float(first[1]), abs=0.11)
    assert float(first[2]) / height == pytest.approx(5, rel=0.05)


def test_a_pointer_shows_the_values_of_a_category() -> None:
    titles = [node.text for node in _parse(CHARTS["lines"]).iter(f"{SVG}title")]
    assert "2026-09-01, hotel 50 %, <b>&car 10 %" in titles
    assert "2026-09-03, <b>&car 30 %" in titles


def test_a_ranking_shows_a_value_for_each_name() -> None:
    assert {"a", "0.5", "–", "watch", "act"} <= {*_texts(CHARTS["ranking"])}


@pytest.mark.parametrize(
    "chart",
    [
        lines(TEXT, [], []),
        lines(TEXT, DAYS[:1], [Series("one", [3])]),
        bars(TEXT, [], []),
        bars(TEXT, ["a"], [Series("none", [0])]),
        ranking(TEXT, [], Series("none", [])),
        intervals(TEXT, ("observed", "low", "high", "expected"), []),
        sparkline(TEXT, [], Series("none", [])),
    ],
)
def test_few_or_no_values_draw_an_empty_frame(chart: Chart) -> None:
    assert "nan" not in chart.markup
    _parse(chart)


def test_spreadsheets_run_no_text_as_a_formula() -> None:
    table = ChartTable(("name", "n"), (("=cmd()", -1), ("-2", None), ('say "x", y', 1.5)))
    assert csv_of(table) == 'name,n\r\n\'=cmd(),-1\r\n\'-2,\r\n"say ""x"", y",1.5\r\n'


@given(st.lists(st.floats(min_value=0, max_value=1e12), min_size=1, max_size=20))
def test_the_scale_holds_every_value_in_few_round_steps(values: list[float]) -> None:
    plot = chart_parts.frame(values, number)
    assert plot.ticks[0] == 0
    assert plot.top_value >= max(values) * (1 - 1e-9)
    assert len(plot.ticks) <= 7
    assert all(plot.top - 1e-6 <= plot.y(value) <= plot.bottom + 1e-6 for value in values)


@pytest.mark.parametrize(
    ("value", "text", "share"), [(0, "0", "0 %"), (1234567, "1,234,567", "123456700 %"), (0.12345, "0.123", "12.3 %")]
)
def test_numbers_and_shares_are_rounded_for_reading(value: float, text: str, share: str) -> None:
    assert (number(value), percent(value)) == (text, share)
