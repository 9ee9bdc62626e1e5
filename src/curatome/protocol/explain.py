"""Turns what pydantic says about a protocol into what a person can act on."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import pydantic

from curatome.protocol.models import Protocol
from curatome.protocol.problems import KeyPath, Problem, refused
from curatome.protocol.settings import Settings

_KINDS = {
    "string_type": 'must be a text in quotes, "like this"',
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be one of {expected}",
}
_PATTERNS = {
    "color": 'must be a color as "#rrggbb", for example "#d62728"',
    "name": "must be a letter, then up to 15 letters or digits",
}


def explain(error: pydantic.ValidationError, data: Mapping[str, Any]) -> list[Problem]:
    """All problems of the data, with paths from the top of the file.

    Checks between tables wait until each table is sound by itself, so keys that are only
    superfluous are taken out and the rest is judged once more.

    Args:
        error: what validating the data raised.
        data: the data, as `tomllib` gives it.
    """
    problems = _problems(error)
    unknown = [tuple(e["loc"]) for e in error.errors() if e["type"] == "extra_forbidden"]
    superfluous = [path for path in unknown if not _similar_key(path)]
    if superfluous:
        try:
            Protocol.model_validate(_without(data, superfluous))
        except pydantic.ValidationError as further:
            problems += [problem for problem in _problems(further) if problem not in problems]
    return problems


def _problems(error: pydantic.ValidationError) -> list[Problem]:
    problems = []
    for entry in error.errors():
        path, context = tuple(entry["loc"]), entry.get("ctx", {})
        inner = refused(entry["type"], context)
        if inner:
            problems += [replace(problem, path=path + problem.path) for problem in inner]
        else:
            problems.append(_explained(entry["type"], path, entry["input"], entry["msg"], context))
    return problems


def _explained(kind: str, path: KeyPath, value: Any, said: str, context: Any) -> Problem:
    """One of pydantic's own errors in our words."""
    if kind == "extra_forbidden":
        return Problem(path, _unknown_key(path), about=path[:-1])
    if kind == "missing":
        return Problem(path[:-1], _missing_key(path))
    if path[-1:] == ("[key]",):
        return Problem(path[:-1], "a key must not be empty.")
    got = "" if isinstance(value, dict | list) else f" Got {_as_written(value)}."
    return Problem(path, f"{_rule(kind, path, said, context)}.{got}")


def _rule(kind: str, path: KeyPath, said: str, context: Any) -> str:
    """What the value must be."""
    if kind == "string_pattern_mismatch":
        return _PATTERNS[str(path[-1])]
    if kind == "tuple_type":
        model = _model_at((*path, 0))
        return f"must be tables, each under [[{path[-1]}]]" if model else "must be a list, [ … ]"
    if kind in ("model_type", "dict_type"):
        return "must be a table"
    if kind.startswith("date"):
        return "must be a date as year-month-day, 2024-05-31"
    if kind not in _KINDS:
        return said
    bounds = {k: f"{v:g}" if isinstance(v, float) else v for k, v in context.items()}
    return _KINDS[kind].format(**bounds).replace("'", '"')


def _unknown_key(path: KeyPath) -> str:
    """What to say about a key that its table does not have."""
    key, close = path[-1], _similar_key(path)
    if close:
        return f'unknown key "{key}". Did you mean "{close}"?'
    homes = [
        name
        for name in Protocol.model_fields
        if key in _keys(_model_at((name,))) or key in _keys(_model_at((name, 0)))
    ]
    if homes:
        return f'unknown key "{key}". It belongs to {" or ".join(homes)}.'
    return f'unknown key "{key}". There are: {", ".join(_keys(_model_at(path[:-1])))}.'


def _missing_key(path: KeyPath) -> str:
    if path == ("dataset",):
        return 'the table [dataset] is missing. It must hold at least title = "…".'
    return f'the key "{path[-1]}" is missing.'


def _similar_key(path: KeyPath) -> str:
    """The key of the same table that was probably meant, or an empty text."""
    close = difflib.get_close_matches(str(path[-1]), _keys(_model_at(path[:-1])), n=1)
    return close[0] if close else ""


def _keys(model: type[Settings] | None) -> list[str]:
    return [] if model is None else list(model.model_fields)


def _model_at(path: KeyPath) -> type[Settings] | None:
    """The model of the table at a path, or None where there is no table of fixed keys."""
    kind: Any = Protocol
    for part in path:
        if isinstance(kind, type) and issubclass(kind, Settings):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:
            inner = get_args(kind)  # of tuple[X, ...] or dict[str, X]
            wanted = 0 if isinstance(part, int) else -1
            kind = inner[wanted] if inner else None
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _without(data: Mapping[str, Any], paths: list[KeyPath]) -> dict[str, Any]:
    """A copy of the data that lacks the given keys."""
    rest = copy.deepcopy(dict(data))
    for path in paths:
        table: Any = rest
        for part in path[:-1]:
            table = table[part]
        del table[path[-1]]
    return rest


def _as_written(value: Any) -> str:
    """A value as TOML writes it, cut short if need be."""
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
