"""`curatome drift`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from curatome.cli.agree import (
    MatchOption,
    RadiusOption,
    ReadersOption,
    ThresholdOption,
    matching_of,
)
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


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drift")(drift)


def drift(
    *,
    reader: ReadersOption = None,
    months: Annotated[float, typer.Option(help="Length of a period of the charts.")] = 1.0,
    charts: Annotated[Path | None, typer.Option(help="Write control charts to this SVG.")] = None,
    match: MatchOption = "auto",
    radius_um: RadiusOption = 7.5,
    threshold: ThresholdOption = 0.5,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Whether readers changed over time or with the guideline; exit 1 if anyone did."""
    from curatome.workflows.drift import follow_readers

    found = follow_readers(
        project_at(project),
        matching_of(match, radius_um, threshold),
        reader or (),
        months,
        charts,
    )
    changes = found.watched.changes.to_pylist()
    if as_json:
        print_json(
            {
                "readers": found.readers,
                "changes": changes,
                "stability": found.watched.stability,
                "trends": found.watched.trends,
                "guidelines": found.guidelines,
            }
            | {"charts": found.watched.charts.to_pylist()}
        )
        raise typer.Exit(FINDINGS if changes else CLEAN)
    followed = len(found.watched.stability)
    console.print(
        f"{count(len(found.readers), 'reader')}, {count(followed, 'habit')} followed over time "
        "(class mix, size, outlines, agreement with the majority)."
    )
    if found.undated:
        console.print(f"{count(found.undated, 'object')} without a time took no part.")
    if changes:
        rows = [
            (
                row["reader"],
                row["quantity"].replace("_um", " (µm)"),
                f"{row['time']:%Y-%m-%d}",
                f"{row['before']:.3f} → {row['after']:.3f}",
                f"{row['cases_before']} + {row['cases_after']}",
                f"{row['p_value']:.3f}",
            )
            for row in changes
        ]
        console.print("\n[bold]Changes that chance hardly explains[/]")
        print_table(("reader", "in", "about", "mean", "cases", "p"), rows, right=("p",))
    else:
        console.print("Nobody changed by more than chance explains.")
    sure = [
        one
        for one in found.guidelines
        if one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
    ]
    if found.guidelines:
        console.print("\n[bold]With the newest guideline[/]")
        if not sure:
            console.print("No habit differs from before.")
        for one in sure:
            console.print(
                escape(f"  {one.subject}: {one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})")
            )
    if found.chart is not None:
        console.print(f"Control charts: {escape(str(found.chart))}")
    raise typer.Exit(FINDINGS if changes else CLEAN)
