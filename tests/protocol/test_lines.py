"""The locator against texts whose lines are known because the test wrote them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.protocol.lines import line_numbers, nearest_line

Path = tuple[str | int, ...]

EXAMPLE = '''\
# a comment with [brackets] and "quotes
top = 1

[dataset]
title = "a # no comment"   # a comment
text = """
[fake]
fake = 1
""" # after
raw = \'\'\'
x = \'\'\'\'

[[scales]]
name = "XL"
sizes = [ 1, # one
  [2,
   3], { a = 1, b.c = [4] },
]
[scales."odd.key"]
'lite\\ral' = 2
"uni\\u0041" . b = 3

[[scales]]
name = "L"
[[scales.inner]]
k = 1
[[scales.inner]]
k = { deep = { er = "}" } }
[a.b.c]
d = 2024-01-01 00:00:00
[a]
e = -inf
'''

EXPECTED: dict[Path, int] = {
    ("top",): 2,
    ("dataset",): 4,
    ("dataset", "title"): 5,
    ("dataset", "text"): 6,
    ("dataset", "raw"): 10,
    ("scales",): 13,
    ("scales", 0): 13,
    ("scales", 0, "name"): 14,
    ("scales", 0, "sizes"): 15,
    ("scales", 0, "sizes", 0): 15,
    ("scales", 0, "sizes", 1): 16,
    ("scales", 0, "sizes", 1, 0): 16,
    ("scales", 0, "sizes", 1, 1): 17,
    ("scales", 0, "sizes", 2): 17,
    ("scales", 0, "sizes", 2, "a"): 17,
    ("scales", 0, "sizes", 2, "b"): 17,
    ("scales", 0, "sizes", 2, "b", "c"): 17,
    ("scales", 0, "sizes", 2, "b", "c", 0): 17,
    ("scales", 0, "odd.key"): 19,
    ("scales", 0, "odd.key", "lite\\ral"): 20,
    ("scales", 0, "odd.key", "uniA"): 21,
    ("scales", 0, "odd.key", "uniA", "b"): 21,
    ("scales", 1): 23,
    ("scales", 1, "name"): 24,
    ("scales", 1, "inner"): 25,
    ("scales", 1, "inner", 0): 25,
    ("scales", 1, "inner", 0, "k"): 26,
    ("scales", 1, "inner", 1): 27,
    ("scales", 1, "inner", 1, "k"): 28,
    ("scales", 1, "inner", 1, "k", "deep"): 28,
    ("scales", 1, "inner", 1, "k", "deep", "er"): 28,
    ("a",): 31,
    ("a", "b"): 29,
    ("a", "b", "c"): 29,
    ("a", "b", "c", "d"): 30,
    ("a", "e"): 32,
    (): 1,
}


def test_every_kind_of_place_has_its_line() -> None:
    assert line_numbers(EXAMPLE) == EXPECTED


def test_windows_line_ends_do_not_move_lines() -> None:
    assert line_numbers(EXAMPLE.replace("\n", "\r\n")) == EXPECTED


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("scales", 1, "mpp"), 23),
        (("dataset", "title", "x", 3), 5),
        (("nothing", 1), 1),
    ],
)
def test_a_place_without_a_line_takes_the_one_around_it(path: Path, line: int) -> None:
    assert nearest_line(EXPECTED, path) == line


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment"])
def test_a_file_without_values_has_only_itself(text: str) -> None:
    assert line_numbers(text) == {(): 1}


def _places(value: Any, path: Path = ()) -> set[Path]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return {path}.union(*(_places(v, (*path, k)) for k, v in inner))


SCALARS = [
    "1",
    "-0.5e3",
    "true",
    "1979-05-27",
    "07:32:00",
    '"a # b"',
    '"]}, \\" \\\\"',
    "'[[x]]\\'",
    '""',
    "''",
    '""""""',
    '"""one\n[two]\nthree = 3\n"""',
    '"""ends in quotes"""""',
    '"""\\"""\n\\\\"""',
    "'''\n# no comment\n''''",
    '"""\\\n   folded"""',
]
GAPS = st.sampled_from(["", "\n", "# c [x] = \"'\n", "\n  \n\t# '''\n"])
KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=4),
)


class Writer:
    """Writes random TOML, and the line of everything it writes."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.text = draw, ""
        self.lines: dict[Path, int] = {(): 1}

    def note(self, path: Path) -> None:
        self.lines[path] = self.text.count("\n") + 1

    def put(self, *choices: str) -> None:
        self.text += self.draw(st.sampled_from(choices))

    def gap(self) -> None:
        self.text += self.draw(GAPS)

    def key(self, key: str) -> str:
        escaped = "".join(c if c not in '"\\' else f"\\{c}" for c in key)
        forms = [f'"{escaped}"']
        if "'" not in key:
            forms.append(f"'{key}'")
        if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key):
            forms.append(key)
        return self.draw(st.sampled_from(forms))

    def keys(self) -> list[str]:
        return self.draw(st.lists(KEYS, unique=True, max_size=3))

    def value(self, path: Path, depth: int) -> None:
        kind = self.draw(st.sampled_from(["scalar", "array", "table"] if depth else ["scalar"]))
        if kind == "scalar":
            self.put(*SCALARS)
        elif kind == "array":
            self.array(path, depth)
        else:
            self.text += "{"
            for number, key in enumerate(self.keys()):
                self.text += " , " if number else " "
                self.pair((*path, key), depth - 1)
            self.text += " }"

    def array(self, path: Path, depth: int) -> None:
        self.text += "["
        count = self.draw(st.integers(0, 3))
        for index in range(count):
            self.gap()
            self.note((*path, index))
            self.value((*path, index), depth - 1)
            self.gap()
            self.text += "," if index < count - 1 else self.draw(st.sampled_from(["", ","]))
        self.gap()
        self.text += "]"

    def pair(self, path: Path, depth: int) -> None:
        self.note(path)
        self.text += self.key(str(path[-1]))
        for _ in range(self.draw(st.integers(0, 1))):
            path = (*path, "dotted")
            self.note(path)
            self.put(".", " . ")
            self.text += self.key("dotted")
        self.put("=", " = ", "\t=")
        self.value(path, depth)

    def body(self, path: Path) -> None:
        for key in self.keys():
            self.gap()
            self.pair((*path, key), 2)
            self.put("\n", "  # after\n")

    def header(self, path: Path, opening: str, closing: str) -> None:
        names = [self.key(part) for part in path if isinstance(part, str)]
        self.text += f"{opening}{' . '.join(names)}{closing}\n"

    def document(self) -> None:
        self.body(())
        for number, repeats in enumerate(self.draw(st.lists(st.integers(0, 3), max_size=3))):
            path: Path = (f"table:{number}",)  # the colon keeps it apart from bare keys
            if not repeats:
                self.gap()
                self.note(path)
                self.header(path, "[", "]")
                self.body(path)
            for index in range(repeats):
                self.gap()
                if not index:
                    self.note(path)
                self.note((*path, index))
                self.header(path, "[[", "]]")
                self.body((*path, index))
                self.gap()
                self.note((*path, index, "sub:table"))
                self.header((*path, index, "sub:table"), "[ ", " ]")
                self.body((*path, index, "sub:table"))


@st.composite
def documents(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    writer.document()
    return writer


@settings(max_examples=200, deadline=None)
@given(documents())
def test_lines_of_generated_texts(written: Writer) -> None:
    data = tomllib.loads(written.text)
    found = line_numbers(written.text)
    assert set(found) == _places(data)
    assert found == written.lines
