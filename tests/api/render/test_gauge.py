"""The gauge of a score: its parts, and texts that it escapes."""

from xml.etree.ElementTree import fromstring

from api.render.gauge import gauge

STARTS = (350, 550, 600, 650, 700)


def classes(picture: str) -> list[str]:
    return [node.attrib["class"] for node in fromstring(picture).iter() if "class" in node.attrib]


def test_segments_are_filled_up_to_the_score() -> None:
    names = classes(gauge(620, 350, 950, STARTS, "620 · Good", "Good"))
    assert (names.count("gauge-track"), names.count("gauge-fill"), names.count("gauge-mark")) == (5, 3, 1)
    names = classes(gauge(950, 350, 950, STARTS, "950", "Outstanding"))
    assert (names.count("gauge-track"), names.count("gauge-fill")) == (5, 5)


def test_without_a_score_nothing_is_filled() -> None:
    picture = gauge(None, 350, 950, STARTS, "No score yet", "Too little known")
    assert classes(picture).count("gauge-fill") == classes(picture).count("gauge-mark") == 0
    assert "–" in picture


def test_texts_are_escaped() -> None:
    picture = gauge(400, 350, 950, STARTS, "<script>", "a & b")
    assert "<script>" not in picture
    assert fromstring(picture).find("{*}title") is not None or "&lt;script&gt;" in picture
