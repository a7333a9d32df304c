"""Speed up ruamel's YAML scanner by a third.

A check spends most of its time on reading YAML. Each method here gives the same result as the method it overrides, and
calls that method in rare cases. `tests/engine/lang/syntax/test_scanner.py` compares the events and errors of both.
"""

import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

_BREAKS: Final = "\n\r\ufeff"
_BREAK: Final = re.compile(f"[{_BREAKS}]")


class _FastReader(Reader):
    def forward(self, length: int = 1) -> None:
        """Move forward by `length` characters, at once if no line ends among them."""
        end = self.pointer + length
        stretch = self.buffer[self.pointer : end]
        if (
            end + 1 >= len(self.buffer)
            or (length == 1 and stretch in _BREAKS)
            or (length > 1 and _BREAK.search(stretch))
        ):
            super().forward(length)
            return
        self.pointer = end
        self.index += length
        self.column += length


class _FastScanner(Scanner):
    certain = False  # whether the next token is final: nothing that follows can change it
    reader: Any = None  # an attribute, because ruamel's property looks the reader up each time

    def __init__(self, loader: Any = None) -> None:
        self.reader = loader.reader
        super().__init__(loader)

    def need_more_tokens(self) -> bool:
        """Whether the next token is not final yet."""
        if self.done:
            return False
        if not self.tokens:
            return True
        return bool(self.possible_simple_keys) and bool(super().need_more_tokens())

    def stale_possible_simple_keys(self) -> None:
        """Drop the keys that are no longer possible, if there are any."""
        line, nearest = self.reader.line, self.reader.index - 1024
        for key in self.possible_simple_keys.values():
            if key.line != line or key.index < nearest:
                super().stale_possible_simple_keys()
                return

    def check_token(self, *choices: Any) -> bool:
        """Whether the next token is of one of these kinds; without kinds, whether there is one."""
        if not self.certain:
            self._make_certain()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def peek_token(self) -> Any:
        """Return the next token without consuming it."""
        if not self.certain:
            self._make_certain()
        return self.tokens[0] if self.tokens else None

    def get_token(self) -> Any:
        """Consume and return the next token."""
        if not self.certain:
            self._make_certain()
        self.certain = False
        if not self.tokens:
            return None
        self.tokens_taken += 1
        return self.tokens.pop(0)

    def _make_certain(self) -> None:
        while self.need_more_tokens():
            self.fetch_more_tokens()
        self.certain = True


class _FastParser(Parser):
    scanner: Any = None

    def __init__(self, loader: Any) -> None:
        self.scanner = loader.scanner
        super().__init__(loader)


def parser() -> YAML:
    """A parser for one text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Reader, yaml.Scanner, yaml.Parser = _FastReader, _FastScanner, _FastParser
    return yaml
