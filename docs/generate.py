"""Writes the parts of these pages that follow from the source: `make docs`.

They stand between two comments, `generated: NAME` and `end`; all else is written by people.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import pydantic

from curatome.annotations.formats import all_formats
from curatome.annotations.model import KINDS
from curatome.protocol import Protocol
from curatome.protocol.cohort import CASE_FIELDS, SLIDE_FIELDS
from curatome.protocol.settings import Settings
from curatome.rules.illustrated import picture_of
from curatome.rules.registry import family_rules
from curatome.rules.rule import FAMILIES, Rule
from curatome.sources import registered_sources
from curatome.tables import ANNOTATIONS, CELLS, REGIONS, SLIDES, SOURCES, TILES, TableSpec
from curatome.tiles.rois import FIELDS_UM, borders

FOLDER = Path(__file__).parent
_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_MANY = {tuple: "list of", dict: "table of"}
_BOUNDS = (
    (annotated_types.Gt, "gt", "above"),
    (annotated_types.Ge, "ge", "from"),
    (annotated_types.Lt, "lt", "below"),
    (annotated_types.Le, "le", "up to"),
)


def pages() -> Iterator[tuple[Path, str]]:
    """Every page with generated parts, as it should be."""
    for path in sorted(FOLDER.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        whole = re.sub(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", _part, text, flags=re.S)
        if "<!-- generated: " in text:
            yield path, whole
    yield from rule_pages()


def _part(found: re.Match[str]) -> str:
    return f"{found[1]}\n{_PARTS[found[2]]()}\n{found[3]}"


def protocol() -> str:
    """A table for each table of curatome.toml."""
    return "\n".join(_section(header, model) for header, model in _tables(Protocol, ""))


def _tables(model: type[Settings], path: str) -> Iterator[tuple[str, type[Settings]]]:
    for name, field in model.model_fields.items():
        inner, many = _settings_within(field.annotation)
        if inner is None:
            continue
        below = f"{path}{name}"
        is_map = get_origin(field.annotation) is dict
        header = f"[{below}.NAME]" if is_map else f"[[{below}]]" if many else f"[{below}]"
        yield header, inner
        yield from _tables(inner, f"{below}.")


def _settings_within(annotation: Any) -> tuple[type[Settings] | None, bool]:
    """The model that a field holds, and whether it holds many."""
    if inspect.isclass(annotation) and issubclass(annotation, Settings):
        return annotation, False
    for part in get_args(annotation):
        if inspect.isclass(part) and issubclass(part, Settings):
            return part, True
    return None, False


def _section(header: str, model: type[Settings]) -> str:
    meanings = _attributes(model)
    lines = [f"### `{header}`", "", _first_line(model), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if _settings_within(field.annotation)[0] is not None:
            continue
        cells = (f"`{name}`", _type(field), _default(field), meanings[name])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""]) if len(lines) > 6 else ""


def _first_line(model: type[Settings]) -> str:
    return inspect.getdoc(model).partition("\n")[0]  # type: ignore[union-attr]


def _attributes(model: type[Settings]) -> Mapping[str, str]:
    """The docstring's `Attributes:`, by name."""
    section = (inspect.getdoc(model) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.+(?:\n     +.+)*)", section, flags=re.M)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def _type(field: pydantic.fields.FieldInfo) -> str:
    text = _type_name(field.annotation)
    bounds = [
        f"{word} {getattr(bound, name):g}"
        for kind, name, word in _BOUNDS
        for bound in field.metadata
        if isinstance(bound, kind)
    ]
    return " ".join([text, *bounds])


def _type_name(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    name = _PLAIN.get(annotation) or getattr(annotation, "__name__", "")
    if origin is Literal:
        name = ", ".join(f"`{_toml(part)}`" for part in parts)
    elif origin in (tuple, dict):
        name = f"{_MANY[origin]} {_type_name(parts[-1] if origin is dict else parts[0])}"
    elif hasattr(annotation, "__metadata__"):
        name = _type_name(annotation.__origin__)
    elif origin in (Union, UnionType):
        name = ", ".join(_type_name(part) for part in parts if part is not NoneType)
    return name


def _default(field: pydantic.fields.FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return (
            f"{{ {', '.join(f'{k} = {_toml(v)}' for k, v in value.items())} }}" if value else "{}"
        )
    return str(value)


def columns(table: TableSpec) -> str:
    """The columns of a table that passes between stages."""
    lines = ["| column | type | unit | what it holds |", "|---|---|---|---|"]
    for column in table.columns:
        kind = f"{column.type}, may be empty" if column.nullable else str(column.type)
        lines.append(f"| `{column.name}` | {kind} | {column.unit} | {column.description} |")
    return "\n".join(lines) + "\n"


def fields() -> str:
    """The columns that the users' own tables may have."""
    lines = ["| table | column | type | unit |", "|---|---|---|---|"]
    for table, known in (("slides", SLIDE_FIELDS), ("cases", CASE_FIELDS)):
        for name, field in known.items():
            lines.append(f"| {table} | `{name}` | {field.type} | {field.unit} |")
    return "\n".join(lines) + "\n"


def registry() -> str:
    """The registered sources, with how each is sorted."""
    lines = ["| source | title | images | layout | scale | in CPIA |", "|---|---|---|---|---|---|"]
    for source in registered_sources():
        rule = source.scale
        scale = f"{rule.mpp:g} µm/px" if rule.mpp is not None else rule.declared or ""
        scale = scale or ", ".join(f"{part}: {name}" for part, name in rule.parts.items())
        total = f"{source.counts.total:,}" if source.counts.total is not None else ""
        cells = [f"`{source.name}`", source.title, total, source.layout.adapter]
        kind = "whole slides" if source.kind == "slides" else scale
        lines.append(f"| {' | '.join([*cells, kind, source.cpia_part or 'no'])} |")
    return "\n".join(lines) + "\n"


def fields_of_view() -> str:
    """The region scales and the fields of view that go to each."""
    lines = ["| scale | field of view | goes to it |", "|---|---|---|"]
    above = ""
    for name, lowest in borders():
        reach = f"from {lowest:.2f} µm" if lowest else "all smaller ones"
        lines.append(f"| {name} | {FIELDS_UM[name]:.1f} µm | {reach}{above} |")
        above = f", below {lowest:.2f} µm"
    return "\n".join(lines) + "\n"


def formats() -> str:
    """What each format of annotations can hold."""
    lines = [
        "| format | `--format` | files | kinds | holes | labels | comes back too | images a file "
        "| exhaustive regions |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    notes = []
    for one in all_formats():
        carries = one.carries
        kinds = (
            "all"
            if carries.kinds >= set(KINDS)
            else ", ".join(k for k in KINDS if k in carries.kinds)
        )
        columns = ", ".join(name for name in ANNOTATIONS.schema.names if name in carries.columns)
        lines.append(
            f"| {one.title} | `{one.name}` | {', '.join(f'`{s}`' for s in one.suffixes)} | {kinds} "
            f"| {'yes' if carries.holes else 'no'} | {carries.labels} | {columns or '–'} "
            f"| {'many' if carries.images else 'one'} | {'yes' if carries.regions else 'no'} |"
        )
        if carries.note:
            notes.append(f"- {one.title}: {carries.note}")
    return "\n".join([*lines, "", *notes])


def rule_pages() -> Iterator[tuple[Path, str]]:
    """A page for each family of rules, and one that lists them all."""
    folder = FOLDER / "rules"
    index = ["# Which rules does `curatome check` have?", "", _RULES_INTRO, ""]
    for family, title in FAMILIES.items():
        rules = family_rules(family)
        if not rules:
            continue
        index += [f"## {family}", "", f"{title}: [{family}.md]({family}.md).", ""]
        index += ["| rule | name | severity | what it finds |", "|---|---|---|---|"]
        index += [
            f"| [{rule.code}]({family}.md#{rule.code.lower()}) | {rule.name} | {rule.severity}"
            f"{', --fix' if rule.fixable else ''} | {rule.what} |"
            for rule in rules
        ]
        index.append("")
        text = "\n".join([f"# {family}", "", f"{title}.", "", *map(_rule_section, rules)])
        yield folder / f"{family}.md", text
    yield folder / "index.md", "\n".join(index)


_RULES_INTRO = (
    "`curatome explain CODE` prints the same text. Errors and warnings make `curatome check` exit "
    "with 1, notes do not. A promise says at which strength of a fault a rule finds at least 95 % "
    "of it at a precision of 90 %; tests hold it to that on synthetic cohorts that were not used "
    "to tune it. Codes of other commands are in [findings.md](../findings.md)."
)


def _rule_section(rule: Rule) -> str:
    fixable = " `curatome check --fix` mends it." if rule.fixable else ""
    lines = [f"## {rule.code}", "", f"**{rule.severity}, {rule.name}.** {rule.what}{fixable}", ""]
    lines += [*_rule_picture(rule), "**Why it matters.** " + rule.why, ""]
    lines += [f"**Fails.** {rule.bad}", "", f"**Passes.** {rule.good}", ""]
    lines += ["**What to do.** " + rule.fix, "", f"**How it is found.** {rule.method}", ""]
    if rule.promise:
        lines += [f"**Promise.** {rule.promise[0].upper()}{rule.promise[1:].rstrip('.')}.", ""]
    if rule.settings:
        lines += [f"Settings, under `[check.rules.{rule.code}]`:", ""]
        lines += ["| key | default | why |", "|---|---|---|"]
        for name, (default, why) in rule.settings.items():
            lines.append(f"| `{name}` | `{_toml(default)}` | {why} |")
        lines.append("")
    return "\n".join(lines)


def _rule_picture(rule: Rule) -> list[str]:
    """The picture of a rule, where there is one."""
    picture = picture_of(rule.code)
    if picture is None:
        return []
    path = os.path.relpath(picture, FOLDER / "rules")
    return [f"![What fails, and what passes]({path})", ""]


_PARTS: Mapping[str, Callable[[], str]] = {
    "protocol": protocol,
    "tiles": lambda: columns(TILES),
    "cells": lambda: columns(CELLS),
    "slides": lambda: columns(SLIDES),
    "regions": lambda: columns(REGIONS),
    "sources": lambda: columns(SOURCES),
    "registry": registry,
    "borders": fields_of_view,
    "fields": fields,
    "annotations": lambda: columns(ANNOTATIONS),
    "formats": formats,
}


def main() -> None:
    """Write every page that is not as it should be."""
    (FOLDER / "rules").mkdir(exist_ok=True)
    for path, text in pages():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.name}\n")


if __name__ == "__main__":
    main()
