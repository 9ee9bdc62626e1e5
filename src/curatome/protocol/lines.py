"""On which line of a TOML file a value stands.

`tomllib` gives values without positions, and no library that is kept up gives both. This scanner
is used beside it, on texts that `tomllib` has accepted: it need not judge, only find.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

from curatome.protocol.problems import KeyPath

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # a block may end in up to two quotes of its own
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def line_numbers(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every key, table and element of an array.

    Args:
        text: TOML that `tomllib` accepts.

    Returns:
        By path, `("scales", 2, "parent")`. A table that is only named by those within it stands
        where it is named first; the whole file, `()`, on line 1.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of the path, or of the closest thing around it that has one."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


class _Scanner:
    """Reads a TOML text once, from start to end."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {(): 1}
        self._text = text
        self._at = 0
        self._breaks = [index for index, char in enumerate(text) if char == "\n"]
        self._sizes: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Reads headers and pairs to the end of the text."""
        table: KeyPath = ()
        self._skip()
        while self._at < len(self._text):
            if self._next("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> KeyPath:
        """Reads `[a.b]` or `[[a.b]]`; the path of the table that it opens."""
        line = self._line()
        is_array = self._next("[[")
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        parts = self._key()
        self._at += 2 if is_array else 1
        for number, part in enumerate(parts, start=1):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if is_array and number == len(parts):
                self._sizes[path] = self._sizes.get(path, 0) + 1
            if path in self._sizes:
                path = (*path, self._sizes[path] - 1)
                self.lines.setdefault(path, line)
        if not is_array:
            self.lines[path] = line
        return path

    def _pair(self, table: KeyPath) -> None:
        """Reads `a.b = value`."""
        line, path = self._line(), table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip()
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _key(self) -> list[str]:
        """Reads a key, dotted or not, and the spaces around it."""
        parts: list[str] = []
        while not parts or self._next("."):
            self._at += 1 if parts else 0
            self._skip()
            parts.append(self._key_part())
            self._skip()
        return parts

    def _key_part(self) -> str:
        quoted = _STRING.match(self._text, self._at)
        found = quoted or _BARE_KEY.match(self._text, self._at)
        if found is None:
            raise ValueError(f"no key on line {self._line()}: not a TOML text.")
        self._at = found.end()
        return str(tomllib.loads(f"k = {found[0]}")["k"]) if quoted else found[0]

    def _value(self, path: KeyPath) -> None:
        if self._next("["):
            self._array(path)
        elif self._next("{"):
            self._inline_table(path)
        else:
            found = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            if found is None:
                raise ValueError(f"no value on line {self._line()}: not a TOML text.")
            self._at = found.end()

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        self._skip()
        index = 0
        while not self._next("]"):
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            self._separator()
            index += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip()
        while not self._next("}"):
            self._pair(path)
            self._separator()
        self._at += 1

    def _separator(self) -> None:
        self._skip()
        self._at += 1 if self._next(",") else 0
        self._skip()

    def _next(self, token: str) -> bool:
        return self._text.startswith(token, self._at)

    def _skip(self) -> None:
        """Passes spaces, line breaks and comments."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1
