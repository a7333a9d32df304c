"""Build elements of SVG and HTML. The serialiser of ElementTree escapes their texts."""

from xml.etree.ElementTree import Element

from api.releases.findings import printable


def element(tag: str, *content: Element | str, **attributes: str | float) -> Element:
    """Build an element with its content: a text, other elements, or a text before them.

    In an attribute's name we turn `_` into `-` and drop a final `_`: `class_`, `stroke_width`. We round numbers to a tenth of
    a pixel, and replace characters that XML does not allow or that change the direction of text.
    """
    node = Element(
        tag, {name.rstrip("_").replace("_", "-"): _attribute_text(value) for name, value in attributes.items()}
    )
    for part in content:
        if isinstance(part, str):
            node.text = printable(part)
        else:
            node.append(part)
    return node


def _attribute_text(value: str | float) -> str:
    if isinstance(value, str):
        return printable(value)
    return f"{round(value, 1) + 0:g}"  # adding 0 turns -0 into 0
