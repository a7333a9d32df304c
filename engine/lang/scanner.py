"""The YAML scanner of ruamel, with its hottest steps written so that they take a third less time.

Reading YAML is most of what a check does. Each method here does what the one that it stands for does, and leaves the rare
cases to it: `tests/engine/lang/test_scanner.py` compares the events, and the errors, of the two.
"""

import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

_BREAKS: Final = "\n\r\ufeff"
_BREAK: Final = re.compile(f"[{_BREAKS}]")


class _Reader(Reader):
    def forward(self, length: int = 1) -> None:
        """Move on, a whole stretch at once where no line ends in it."""
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


class _Scanner(Scanner):
    certain = False  # whether nothing that follows can change what the next token is
    reader: Any = None  # an attribute in place of a property that looks it up each time

    def __init__(self, loader: Any = None) -> None:
        self.reader = loader.reader
        super().__init__(loader)

    def need_more_tokens(self) -> bool:
        """Whether the next token is not certain yet."""
        if self.done:
            return False
        if not self.tokens:
            return True
        return bool(self.possible_simple_keys) and bool(super().need_more_tokens())

    def stale_possible_simple_keys(self) -> None:
        """Drop the keys that can be none any more, where there may be some."""
        line, nearest = self.reader.line, self.reader.index - 1024
        for key in self.possible_simple_keys.values():
            if key.line != line or key.index < nearest:
                super().stale_possible_simple_keys()
                return

    def check_token(self, *choices: Any) -> bool:
        """Whether the next token is one of these kinds; of any kind for none."""
        if not self.certain:
            self._make_certain()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def peek_token(self) -> Any:
        """The next token, which stays the next."""
        if not self.certain:
            self._make_certain()
        return self.tokens[0] if self.tokens else None

    def get_token(self) -> Any:
        """The next token."""
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


class _Parser(Parser):
    scanner: Any = None

    def __init__(self, loader: Any) -> None:
        self.scanner = loader.scanner
        super().__init__(loader)


def parser() -> YAML:
    """What parses one text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Reader, yaml.Scanner, yaml.Parser = _Reader, _Scanner, _Parser
    return yaml
