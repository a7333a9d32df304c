"""Elements of SVG and HTML, in one call each; what is put in is escaped when they are written."""

from xml.etree.ElementTree import Element

from api.releases.findings import printable


def element(tag: str, *content: Element | str, **attributes: str | float) -> Element:
    """An element with what it holds: a text, or other elements, or a text before them.

    Of an attribute's name `_` becomes `-`, and one at its end goes: `class_`, `stroke_width`. Numbers are rounded to a tenth
    of a pixel. Signs that XML cannot hold, or that would turn the text around, are replaced.
    """
    made = Element(tag, {name.rstrip("_").replace("_", "-"): _written(value) for name, value in attributes.items()})
    for part in content:
        if isinstance(part, str):
            made.text = printable(part)
        else:
            made.append(part)
    return made


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return printable(value)
    return f"{round(value, 1) + 0:g}"  # adding 0 makes -0 to 0
