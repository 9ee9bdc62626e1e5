"""JSON as annotations come in it, read strictly.

What Python's own reader lets pass is refused here, with line and column: a name that an object
has twice (one of the two values would be lost), NaN and infinity (RFC 8259 has none), nesting
without end, text that is not UTF-8, and a file that ends too early. A byte order mark and gzip
are fine.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curatome.durable import write_file
from curatome.errors import AnnotationError

DEEPEST = 200
"""Arrays and objects within one another; annotations need about ten."""

_GZIP, _BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|[{}\[\]]|NaN|-?Infinity', re.DOTALL)


class _UnsoundError(ValueError):
    """Sound to Python, but not to us."""


def load(path: Path) -> Any:
    """A file's value.

    Raises:
        AnnotationError: it is not strict JSON; names line and column.
        OSError: it cannot be read.
    """
    return parse(read_bytes(path), path.name)


def read_bytes(path: Path) -> bytes:
    """A file's text as UTF-8 without byte order mark, unzipped if it was gzip.

    Raises:
        AnnotationError: it is empty, broken gzip or UTF-16.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise AnnotationError(
                f"{path.name} is not whole gzip: {error}. Export or copy it again."
            ) from error
    if data.startswith(_WIDE):
        raise AnnotationError(f"{path.name} is UTF-16. Save it as UTF-8.")
    data = data.removeprefix(_BOM)
    if not data or data.isspace():
        raise AnnotationError(f"{path.name} is empty.")
    return data


def parse(data: bytes, name: str) -> Any:
    """The value of JSON text.

    Args:
        data: UTF-8.
        name: of the file, for the message.

    Raises:
        AnnotationError: it is not strict JSON; names line and column.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        where = place(data, error.start)
        raise AnnotationError(f"{name} is not UTF-8 at {where}. Save it as UTF-8.") from error
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_real
        )
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{name} {_broken(text, error)}") from error
    except (_UnsoundError, RecursionError) as error:
        raise AnnotationError(f"{name} {_breach(text)}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise AnnotationError(f"{name} holds a number that is too long: {error}.") from error


def require_utf8(data: bytes, name: str) -> None:
    """Refuse text that is not UTF-8, without making text of it.

    Raises:
        AnnotationError: names line and column.
    """
    offsets = pa.py_buffer(np.array([0, len(data)], np.int64))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(data)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        parse(data, name)  # says where
        raise


def place(data: bytes, offset: int) -> str:
    """Line and column of a byte, both from 1, in words."""
    start, line = data.rfind(b"\n", 0, offset) + 1, data.count(b"\n", 0, offset) + 1
    return f"line {line}, column {len(data[start:offset].decode('utf-8', 'replace')) + 1}"


def text_of(value: Any) -> str:
    """A value as JSON on one line.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def save(path: Path, value: Any) -> None:
    """Write a value whole.

    Raises:
        ValueError: it holds NaN or infinity.
        OSError: the disk is full or the folder is not writable.
    """
    write_file(path, text_of(value) + "\n")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _UnsoundError
    return found


def _constant(_name: str) -> Any:
    raise _UnsoundError


def _real(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} has no place in 64 bits")
    return number


def _broken(text: str, error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"ends too early, at {where}. Export or copy it again."
    return f"is not JSON at {where}: {error.msg}."


def _breach(text: str) -> str:
    """What is unsound in text that Python could read, and where."""
    names: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in "{[":
            names.append(set())
        elif word in "}]":
            names.pop()
        elif token.group(1):
            key = json.loads(word[: len(word) - len(token.group(1))])
            if key in names[-1]:
                where = _place_in(text, token.start())
                return f'has "{key}" twice in one object, at {where}. Remove one of them.'
            names[-1].add(key)
        elif not word.startswith('"'):
            where = _place_in(text, token.start())
            return f"has {word} at {where}, which JSON has not. Write null, or leave it out."
        if len(names) > DEEPEST:
            where = _place_in(text, token.start())
            return f"is nested more than {DEEPEST} deep, at {where}: it is no annotation file."
    return "is nested too deep."


def _place_in(text: str, at: int) -> str:
    return place(text[:at].encode(), len(text[:at].encode()))
