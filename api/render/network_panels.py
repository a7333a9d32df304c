"""Draw the two layers of an ego network, each as an SVG element for a page: without a style of its own.

The colours are attributes, and the page's style sheet may replace them by the classes `network`, `node`, `tie`, `payments`, `label`.
"""

from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api.render.drawing import arrowheads
from api.render.markup import element
from api.render.network_words import NetworkWords
from api.render.panels import Panel, payments, ties
from graph.network.ego_network import EgoNetwork

MIN_WIDTH: Final = 320.0  # pixels: a smaller drawing would be enlarged too much


def ties_svg(ego_network: EgoNetwork, words: NetworkWords) -> str:
    """The ties, as the text of an SVG element."""
    return _svg(ties(ego_network, words), "ties", words.ties_title)


def payments_svg(ego_network: EgoNetwork, words: NetworkWords) -> str:
    """The payments, with an arrow from payer to payee."""
    return _svg(payments(ego_network, words), "money", words.payments_title, *arrowheads())


def _svg(panel: Panel, name: str, title: str, *definitions: Element) -> str:
    left, top, width, height = panel.box
    side = max(width, MIN_WIDTH)
    left -= (side - width) / 2
    drawing = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        *([element("defs", *definitions)] if definitions else []),
        panel.drawing,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{left:.0f} {top:.0f} {side:.0f} {height:.0f}",
        class_=f"network {name}",
        role="img",
        aria_labelledby=f"{name}-title",
    )
    return ElementTree.tostring(drawing, encoding="unicode")
