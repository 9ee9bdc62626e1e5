"""From the text of `curatome.toml` to a protocol, or to everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pydantic

from curatome.errors import ProtocolError
from curatome.protocol.explain import explain
from curatome.protocol.lines import line_numbers, nearest_line
from curatome.protocol.models import Protocol
from curatome.protocol.problems import Problem

_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


def load_protocol(path: Path) -> Protocol:
    """Reads a protocol from its file.

    Raises:
        ProtocolError: the file is missing or not text, or `parse_protocol` refuses it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        message = f"{path} does not exist. Start one with `curatome init`, or go to its folder."
        raise ProtocolError(message) from None
    except OSError as error:
        raise ProtocolError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{path.name} line {line}: not UTF-8 text. Save the file with UTF-8 encoding."
        raise ProtocolError(message) from None
    return parse_protocol(text, path.name)


def parse_protocol(text: str, source: str) -> Protocol:
    """Reads a protocol from TOML.

    Args:
        text: the TOML.
        source: the file's name, for messages.

    Raises:
        ProtocolError: with one line for each problem of the text: `curatome.toml line 14: …`.
    """
    try:
        data = tomllib.loads(text)
        return Protocol.model_validate(data)
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(_syntax_message(str(error), text, source)) from None
    except pydantic.ValidationError as error:
        raise ProtocolError(_report(explain(error, data), text, source)) from None
    except RecursionError:
        raise ProtocolError(f"{source}: brackets nest too deeply to be read.") from None


def _report(problems: Sequence[Problem], text: str, source: str) -> str:
    """One line of text for each problem, in the order of the file."""
    lines = line_numbers(text)
    numbered = sorted({(nearest_line(lines, p.path), _sentence(p)) for p in problems})
    return "\n".join(f"{source} line {line}: {sentence}" for line, sentence in numbered)


def _syntax_message(error: str, text: str, source: str) -> str:
    found = _SYNTAX.fullmatch(error)
    if found is None:
        return f"{source}: not valid TOML: {error}."
    line = int(found["line"] or text.rstrip().count("\n") + 1)
    return f"{source} line {line}: not valid TOML: {found['what']}."


def _sentence(problem: Problem) -> str:
    """The problem with the names, but not the numbers, of its place."""
    path = problem.path if problem.about is None else problem.about
    place = ".".join(part or '""' for part in path if isinstance(part, str))
    return f"{place}: {problem.message}" if place else problem.message
