"""`curatome agree`, `consensus` and `complete`: what several readers say, and what all missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from curatome.cli.console import (
    CLEAN,
    FINDINGS,
    JsonOption,
    ProjectOption,
    console,
    count,
    print_json,
    print_table,
    project_at,
)
from curatome.errors import ProtocolError
from curatome.findings import Measure

if TYPE_CHECKING:
    from curatome.workflows.agree import Agreement
    from curatome.workflows.complete import Completeness
    from curatome.workflows.consensus import Consensus, Rule
    from curatome.workflows.reads import Matching

_SHOWN = 14
_MATCHES = ("auto", "distance", "iou", "overlap")
_METHODS = ("majority", "weighted", "dawid-skene", "panel")
_DOMAINS = ("site", "scanner", "stain")

ReadersOption = Annotated[
    list[str] | None, typer.Option("--reader", "-r", help="Only this reader; may be repeated.")
]
MatchOption = Annotated[
    str, typer.Option("--match", help="When two objects are one: auto, distance, iou, overlap.")
]
RadiusOption = Annotated[float, typer.Option("--radius-um", help="Farthest distance of centers.")]
ThresholdOption = Annotated[float, typer.Option("--threshold", help="Least IoU or overlap.")]

_QUESTIONS = (
    ("Do they find the same objects?", ("detection_f1",)),
    (
        "Do they call them the same?",
        (
            "percent_agreement",
            "krippendorff_alpha",
            "gwet_ac1",
            "cohen_kappa",
            "fleiss_kappa",
            "positive_agreement",
        ),
    ),
    (
        "Do their outlines agree?",
        ("dice", "iou", "hausdorff_95", "normalized_surface_distance"),
    ),
    (
        "Do they agree with themselves?",
        ("intra_reader_percent_agreement", "intra_reader_cohen_kappa"),
    ),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("agree")(agree)
    app.command("consensus")(consensus)
    app.command("complete")(complete)


def agree(
    *,
    reader: ReadersOption = None,
    match: MatchOption = "auto",
    radius_um: RadiusOption = 7.5,
    threshold: ThresholdOption = 0.5,
    by: Annotated[str | None, typer.Option(help="Also within each site, scanner or stain.")] = None,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """How well readers agree, with intervals from drawing cases: objects, classes, outlines."""
    from curatome.workflows.agree import measure_agreement

    if by is not None and by not in _DOMAINS:
        raise ProtocolError(f'--by is one of {", ".join(_DOMAINS)}. Got "{by}".')
    found = measure_agreement(
        project_at(project), matching_of(match, radius_um, threshold), reader or (), by
    )
    if as_json:
        print_json(found)
        return
    _print_agreement(found)


def complete(
    *,
    reader: ReadersOption = None,
    model: Annotated[
        str, typer.Option(help="auto, chapman (two readers), loglinear, or chao (a lower bound).")
    ] = "auto",
    match: MatchOption = "auto",
    radius_um: RadiusOption = 7.5,
    threshold: ThresholdOption = 0.5,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """How many objects everybody missed, from who found what (capture-recapture)."""
    from curatome.workflows.complete import estimate_completeness

    found = estimate_completeness(
        project_at(project), matching_of(match, radius_um, threshold), reader or (), model
    )
    if as_json:
        print_json(found)
        return
    _print_completeness(found)


def matching_of(match: str, radius_um: float, threshold: float) -> Matching:
    """What a person says about when two objects are one."""
    from curatome.workflows.reads import Matching

    if match not in _MATCHES:
        raise ProtocolError(f'--match is one of {", ".join(_MATCHES)}. Got "{match}".')
    way: Any = match
    return Matching(way, radius_um, threshold)


_ORDER = {"all": 0, "readers": 1, "reader": 2, "class": 3, "domain": 4}


def print_measures(measures: Sequence[Measure]) -> int:
    """Measures as a table, the whole before its parts; how many were not listed."""
    parts: dict[str, int] = {}
    rows = []
    left = 0
    names = list(dict.fromkeys(one.name for one in measures))

    def place(one: Measure) -> tuple[int, int, int]:
        kind = _ORDER.get(one.subject.replace(",", "").partition(" ")[0], len(_ORDER))
        return names.index(one.name), one.subject.count(", "), kind

    for one in sorted(measures, key=place):
        parts[one.name] = parts.get(one.name, 0) + 1
        if parts[one.name] > _SHOWN:
            left += 1
            continue
        rows.append(
            (
                one.name.replace("_", " ") if parts[one.name] == 1 else "",
                one.subject,
                _number(one.value, one.unit),
                _interval(one),
                f"{one.n:,}" if one.n is not None else "",
                f"{one.clusters:,}" if one.clusters is not None else "",
            )
        )
    level = {f"{one.level:.0%}" for one in measures}
    columns = ("measure", "of", "value", f"{' '.join(sorted(level))} interval", "n", "cases")
    print_table(columns, rows, right=("value", "n", "cases"), spare=("cases", "n"))
    return left


def _number(value: float, unit: str) -> str:
    if value != value:  # noqa: PLR0124 - not a number
        return "–"
    if unit == "objects":
        return f"{value:,.1f}"
    return f"{value:.3f}{' µm' if unit == 'µm' else ''}"


def _interval(one: Measure) -> str:
    if one.low is None:
        return "–"
    high = "and more" if one.high is None else _number(one.high, one.unit)
    return f"{_number(one.low, one.unit)} to {high}"


def _print_left_out(left: dict[str, int]) -> None:
    if left:
        total = sum(left.values())
        why = ", ".join(f"{number:,} {reason}" for reason, number in left.items())
        console.print(f"{count(total, 'annotation')} took no part: {escape(why)}.")


def _print_agreement(found: Agreement) -> None:
    who = ", ".join(found.readers[:6]) + (", …" if len(found.readers) > 6 else "")
    console.print(
        f"{count(len(found.readers), 'reader')} ({escape(who)}): "
        f"{count(found.objects, 'object')}, {count(found.images, 'whole image')}; "
        f"{found.shared:,} judged by two or more. {escape(found.how[0].upper() + found.how[1:])}.",
        soft_wrap=True,
    )
    _print_left_out(found.left_out)
    hidden = 0
    for question, names in _QUESTIONS:
        mine = [one for name in names for one in found.measures if one.name == name]
        if mine:
            console.print(f"\n[bold]{question}[/]")
            hidden += print_measures(mine)
    told = set(_told(found.measures))
    for why in sorted(told):
        console.print(f"[dim]{escape(why)}[/]", soft_wrap=True)
    if hidden:
        console.print(f"{hidden:,} more with --json.")


def _told(measures: Iterable[Measure]) -> list[str]:
    """Why some have no value."""
    return [
        f"– {one.name.replace('_', ' ')} of {one.subject}: {one.method.partition('undefined: ')[2]}"
        for one in measures
        if "undefined: " in one.method
    ][:3]


def _print_completeness(found: Completeness) -> None:
    who = ", ".join(found.readers)
    console.print(
        f"{count(found.objects, 'object')} on {count(found.images, 'image')} that all of "
        f"{escape(who)} read. {escape(found.how[0].upper() + found.how[1:])}.",
        soft_wrap=True,
    )
    order = ("completeness", "missed", "objects")
    mine = [one for name in order for one in found.measures if one.name == name]
    hidden = print_measures(mine)
    if mine:
        console.print(f"[dim]{escape(mine[0].method)}.[/]", soft_wrap=True)
    if not found.confirmed:
        console.print(
            "Every object that anybody marked counts as real, for nothing was adjudicated; false "
            "marks make completeness look too low. Next: [bold]curatome consensus --write[/]",
            soft_wrap=True,
        )
    console.print(
        "[dim]Readers are taken to miss independently, as the line above says. Objects that are "
        "hard for everybody make completeness look too high; let a model read, too.[/]",
        soft_wrap=True,
    )
    if hidden:
        console.print(f"{hidden:,} more with --json.")


def consensus(
    *,
    method: Annotated[
        str, typer.Option(help="majority, weighted, dawid-skene or panel.")
    ] = "majority",
    ties: Annotated[
        str, typer.Option(help="unresolved, first, random, or senior=NAME.")
    ] = "unresolved",
    panel: Annotated[str | None, typer.Option(help="FIRST,SECOND,JUDGE, for panel.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Record the answers as adjudicated annotations.")
    ] = False,
    reader: ReadersOption = None,
    match: MatchOption = "auto",
    radius_um: RadiusOption = 7.5,
    threshold: ThresholdOption = 0.5,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """One answer from several readers; exit 1 if any item stays unresolved."""
    from curatome.workflows.consensus import decide

    found = decide(
        project_at(project),
        _rule(method, ties, panel),
        matching_of(match, radius_um, threshold),
        reader or (),
        write,
    )
    if as_json:
        print_json({**vars(found), "table": found.table.to_pylist()})
    else:
        _print_consensus(found)
    raise typer.Exit(FINDINGS if found.unresolved else CLEAN)


def _rule(method: str, ties: str, panel: str | None) -> Rule:
    from curatome.agreement.consensus.panel import Panel
    from curatome.agreement.consensus.ties import TieRule
    from curatome.workflows.consensus import Rule

    if method not in _METHODS:
        raise ProtocolError(f'--method is one of {", ".join(_METHODS)}. Got "{method}".')
    how, _, senior = ties.partition("=")
    rule: Any = how
    members = [one.strip() for one in panel.split(",")] if panel else []
    if panel and len(members) != 3:
        raise ProtocolError(f'--panel is FIRST,SECOND,JUDGE. Got "{panel}".')
    way: Any = method
    return Rule(way, TieRule(rule, senior or None), Panel(*members) if members else None)


def _print_consensus(found: Consensus) -> None:
    from curatome.agreement.matching import NOTHING

    total = len(found.table)
    console.print(
        f"{count(total, 'item')} judged by {', '.join(map(escape, found.readers))}. "
        f"{escape(found.how[0].upper() + found.how[1:])}.",
        soft_wrap=True,
    )
    rows = [
        ("no object" if label == NOTHING else label, f"{number:,}", f"{number / total:.1%}")
        for label, number in found.classes.items()
    ]
    if found.unresolved:
        rows.append(("unresolved", f"{found.unresolved:,}", f"{found.unresolved / total:.1%}"))
    print_table(("decided", "items", "share"), rows, right=("items", "share"))
    console.print(f"Somebody disagreed on {found.split:,} of them.")
    skill = [one for one in found.measures if one.name == "skill"]
    if skill:
        console.print("\n[bold]How often is each reader right, by this consensus?[/]")
        print_measures(skill)
    if found.batch is not None:
        console.print(
            f"Recorded as batch {found.batch.batch}. Take it back: "
            f"[bold]curatome annotations undo {found.batch.batch}[/]"
        )
    else:
        console.print("Nothing was recorded. Do so with [bold]--write[/].")
    if found.unresolved:
        console.print("Unresolved items need another read, or a rule: [bold]--ties senior=NAME[/].")
