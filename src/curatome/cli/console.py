"""What the command line prints: findings, tables, numbers, JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from curatome.findings import Finding, Severity

if TYPE_CHECKING:
    from curatome.project import Project

_PIPED_WIDTH = 400  # columns, where there is no terminal to ask: no line of a table is folded

console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
errors = Console(stderr=True, highlight=False)

CLEAN, FINDINGS, ERROR = 0, 1, 2

ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="The project's folder, or one inside it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", "-w", min=1, help="Slides read at a time; all cores if not given."),
]

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
SHOWN = 12
"""Findings of one code that are listed in full."""


def project_at(folder: Path) -> Project:
    """The project a command is about."""
    from curatome.project import open_project

    return open_project(folder)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json_text(value))


def json_text(value: Any) -> str:
    """One JSON object, with the line's end."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n"


def print_findings(findings: Iterable[Finding], shown: int = SHOWN) -> int:
    """Findings grouped by code, worst first; a remedy that several share is printed once.

    Args:
        findings: what to print.
        shown: how many of one code are listed; the others are counted.

    Returns:
        How many were not listed.
    """
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    for code, group in by_code.items():
        listed = group[:shown]
        for finding, following in zip(listed, [*listed[1:], None], strict=True):
            color = _COLORS[finding.severity]
            console.print(
                f"[{color}]{finding.severity!s:<7}[/] [bold]{code}[/] {escape(finding.message)}",
                soft_wrap=True,
            )
            told = following is not None and following.remedy == finding.remedy
            if finding.remedy and finding.remedy not in finding.message and not told:
                console.print(f"        [dim]→ {escape(finding.remedy)}[/]", soft_wrap=True)
        if len(group) > shown:
            console.print(f"        [dim]… and {len(group) - shown:,} more of {code}[/]")
    return sum(max(len(group) - shown, 0) for group in by_code.values())


def exit_code(findings: Iterable[Finding]) -> int:
    """0 if nothing is above note level, else 1."""
    return FINDINGS if any(f.severity > Severity.NOTE for f in findings) else CLEAN


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()
) -> Table:
    """A plain table; columns named in `right` are aligned to the right."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row))
    return drawn


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """A table on the terminal; columns named in `spare` go, in this order, where it is narrow."""
    kept = list(columns)
    for name in (*spare, None):
        positions = [columns.index(column) for column in kept]
        drawn = table(kept, [[row[at] for at in positions] for row in rows], right)
        if name is None or console.measure(drawn).maximum <= console.width:
            break
        kept.remove(name)
    console.print(drawn)


def megabytes(size: float) -> str:
    """For people: `1.2 GB`, `340 MB`, `12 kB`."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= limit:
            return f"{size / limit:.3g} {unit}"
    return f"{size / 1e3:.3g} kB"


def duration(seconds: float) -> str:
    """For people: `2 h 5 min`, `3 min 20 s`, `8 s`."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60} s"
    return f"{max(whole, 1)} s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 slide`, `2,300 slides`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _plain(value: Any) -> Any:
    if isinstance(value, Finding):
        plain = {name: _plain(item) for name, item in vars(value).items()}
        return {**plain, "fingerprint": value.fingerprint}
    if isinstance(value, IntEnum | Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(item) for name, item in vars(value).items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    # JSON has neither NaN nor infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value
