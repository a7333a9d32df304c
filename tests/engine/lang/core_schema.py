"""Read YAML as other readers do: by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), to JSON
values.
"""

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

PLAIN_WORDS = {"": None, "~": None} | dict.fromkeys(("null", "Null", "NULL"))
PLAIN_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
WHOLE = re.compile(r"[-+]?[0-9]+", re.ASCII)
OTHER_BASES = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


def values(text: str) -> Any:
    """The document as JSON values. Raises KeyError for a key that is not a text."""
    return _value(YAML(typ="safe", pure=True).compose(text))


def _value(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {_key(k): _value(v) for k, v in node.value}
    if isinstance(node, SequenceNode):
        return [_value(v) for v in node.value]
    assert isinstance(node, ScalarNode)
    text = str(node.value)
    if node.style is not None:
        return text
    if text in PLAIN_WORDS:
        return PLAIN_WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    if other := OTHER_BASES.fullmatch(text):
        return int(other[1], 8) if other[1] else int(other[2], 16)
    return float(text) if REAL.fullmatch(text) else text


def _key(node: Node) -> str:
    key = _value(node)
    if not isinstance(key, str):
        raise KeyError(key)
    return key
