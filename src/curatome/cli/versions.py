"""`curatome version`, `log`, `diff`, `verify`, `checkout` and `split`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from curatome.cli import dataset_export
from curatome.cli.console import (
    CLEAN,
    FINDINGS,
    JsonOption,
    ProjectOption,
    console,
    count,
    megabytes,
    print_findings,
    print_json,
    print_table,
    project_at,
)
from curatome.cli.progress import watching

if TYPE_CHECKING:
    import pyarrow as pa

    from curatome.dataset.leakage import Certificate
    from curatome.dataset.versions import Diff

_SHOWN = 12

ReasonOption = Annotated[str, typer.Option("--message", "-m", help="Why.")]

NearOption = Annotated[
    bool, typer.Option("--near/--no-near", help="Look for images that look alike.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Freeze the dataset as it is, under a name.", no_args_is_help=True)
    group.command("create")(create)
    dataset_export.register(group)
    app.add_typer(group, name="version")
    app.command("log")(log)
    app.command("diff")(compare)
    app.command("verify")(verify)
    app.command("checkout")(checkout)
    app.command("split")(split)


def create(
    message: ReasonOption,
    *,
    name: Annotated[str, typer.Option(help="What to call it; v1, v2, … by default.")] = "",
    near: NearOption = True,
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Freeze items, annotations, splits and findings; exit 1 if anything crosses a split."""
    from curatome.workflows.create_version import create_version

    with watching(as_json) as bars:
        found = create_version(project_at(project), message, name, near=near, watcher=bars)
    if as_json:
        print_json({"version": found.info, "id": found.info.id, "items": found.items})
    else:
        new = len(found.division.new)
        console.print(
            f"Version [bold]{escape(found.info.name)}[/] ({found.info.id[:12]}): "
            f"{count(found.items, 'item')}, {count(found.info.rows('annotations'), 'annotation')}"
            f", {count(len(found.division.split), 'case')}"
            + (f"; {count(new, 'case')} newly divided, see splits.csv." if new else ".")
        )
        _print_certificate(found.certificate)
    leaks = any(check.found for check in found.certificate.checks)
    raise typer.Exit(FINDINGS if leaks else CLEAN)


def log(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """List the versions, the latest first."""
    from curatome.dataset.versions import load_log
    from curatome.dataset.versions.model import read_info
    from curatome.workflows.versions import versions_of
    from curatome.workflows.withdrawn import load_withdrawn

    opened = project_at(project)
    root = versions_of(opened)
    gone = load_withdrawn(opened).cases
    entries = load_log(root)[::-1]
    infos = [read_info(root / entry.folder) for entry in entries]
    if as_json:
        cases = [{"case": one.case, "time": one.time, "reason": one.reason} for one in gone]
        print_json({"versions": [{"id": i.id, **vars(i)} for i in infos], "withdrawn": cases})
        return
    for one in gone:
        console.print(f"Without {escape(str(one))}", soft_wrap=True)
    if not entries:
        console.print("No version yet. Next: [bold]curatome version create -m REASON[/]")
        return
    rows = [
        (
            info.name,
            info.id[:12],
            info.created[:16].replace("T", " "),
            f"{info.rows('items'):,}",
            f"{info.rows('annotations'):,}",
            "yes" if info.leak_free else "no",
            info.reason
            + "".join(f"; re-issued {one.time[:10]}: {one.reason}" for one in entry.was),
        )
        for info, entry in zip(infos, entries, strict=True)
    ]
    columns = ("version", "id", "made (UTC)", "items", "annotations", "leak-free", "why")
    print_table(columns, rows, right=("items", "annotations"), spare=("leak-free", "id"))


def compare(
    before: Annotated[str, typer.Argument(help="A version's name, or the beginning of its id.")],
    after: Annotated[str, typer.Argument(help="Another; the latest by default.")] = "",
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """What differs between two versions: cases, annotations, labels, splits, pixels."""
    from curatome.workflows.versions import compare_versions

    one, other, found = compare_versions(project_at(project), before, after)
    if as_json:
        print_json(
            {
                "before": one,
                "after": other,
                "counts": found.counts(),
                "labels": [
                    {"table": t, "reader": r, "before": b, "after": a, "count": n}
                    for (t, r, b, a), n in found.labels.items()
                ],
                "splits": [
                    {"before": b, "after": a, "items": n} for (b, a), n in found.splits.items()
                ],
                "pixels": found.pixels,
                "changes": found.changes.to_pylist(),
            }
        )
    else:
        console.print(f"From {escape(one.name)} to {escape(other.name)}:")
        _print_diff(found)
    raise typer.Exit(FINDINGS if len(found.changes) else CLEAN)


def verify(
    folder: Annotated[Path, typer.Argument(help="A project, or what was checked out.")] = Path(),
    version: Annotated[list[str] | None, typer.Option(help="Only this one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether every file and shard of the versions is what it was; exit 1 if not."""
    from curatome.workflows.versions import FOLDER, verify_versions

    home = folder if (folder / FOLDER).is_dir() else project_at(folder).root
    with watching(as_json) as bars:
        found = verify_versions(home, version or (), bars)
    if as_json:
        print_json({"findings": found})
    elif found:
        print_findings(found)
    else:
        console.print("Every file and every shard is what it was.")
    raise typer.Exit(FINDINGS if found else CLEAN)


def checkout(
    version: Annotated[str, typer.Argument(help="A version's name or id.")],
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    project: ProjectOption = Path(),
) -> None:
    """Copy a version with its shards to a folder of its own."""
    from curatome.workflows.versions import checkout as copy

    with watching(False) as bars:
        info = copy(project_at(project), version, out, bars)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    console.print(
        f"Version {escape(info.name)} lies in {escape(str(out))}, {megabytes(size)}. Check it "
        f"there: [bold]curatome verify {escape(str(out))} --version {escape(info.name)}[/]"
    )


def split(
    *,
    near: NearOption = False,
    folds: Annotated[int, typer.Option(help="Divide into so many folds, folds.csv.")] = 0,
    inner: Annotated[int, typer.Option(help="And each fold's training cases again.")] = 0,
    leave_out: Annotated[
        str, typer.Option(help="site, scanner or stain: one value after the other is tested on.")
    ] = "",
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Give every case a split, by curatome.toml; cases in splits.csv keep theirs."""
    from curatome.workflows.create_version import divide_project

    if folds or leave_out:
        _fold(project, (folds, inner, leave_out), as_json)
        return
    with watching(as_json) as bars:
        found = divide_project(project_at(project), near=near, watcher=bars)
    division, certificate = found
    if as_json:
        print_json(
            {
                "splits": division.split,
                "balance": division.balance.to_pylist(),
                "checks": certificate.checks,
            }
        )
    else:
        _print_balance(division.balance)
        new = len(division.new)
        console.print(
            f"{count(new, 'case')} newly divided, written to splits.csv."
            if new
            else "Every case has a split already; splits.csv is as it was."
        )
        _print_certificate(certificate)
    leaks = any(check.found for check in certificate.checks)
    raise typer.Exit(FINDINGS if leaks else CLEAN)


def _fold(project: Path, way: tuple[int, int, str], as_json: bool) -> None:
    from curatome.workflows.create_version import fold_project
    from curatome.workflows.splits import Folding

    folds, inner, leave_out = way
    with watching(as_json) as bars:
        found = fold_project(project_at(project), Folding(folds, inner, leave_out), bars)
    if as_json:
        print_json({"folds": found})
        return
    rows = []
    for fold in found:
        held: dict[str, int] = {}
        for name in fold.split.values():
            held[name] = held.get(name, 0) + 1
        rows.append((fold.name, *(f"{held.get(n, 0):,}" for n in ("train", "val", "test"))))
    print_table(("fold", "train", "val", "test"), rows, right=("train", "val", "test"))
    console.print("Cases of each fold are in folds.csv; splits.csv is as it was.")


def _print_balance(table: pa.Table) -> None:
    """A row for each stratum, a column for each split: count and share."""
    rows = table.to_pylist()
    splits = list(dict.fromkeys(row["split"] for row in rows))
    target = {row["split"]: row["target"] for row in rows}
    strata: dict[str, dict[str, str]] = {}
    off: dict[str, float] = {}
    for row in rows:
        cell = f"{row['count']:,.0f} ({row['share']:.1%})"
        strata.setdefault(row["stratum"], {})[row["split"]] = cell
        gap = abs(row["share"] - row["target"])
        off[row["stratum"]] = max(off.get(row["stratum"], 0.0), gap)
    names = list(strata)
    shown = names[:2] + sorted(names[2:], key=lambda one: -off[one])[: _SHOWN - 2]
    columns = ["", *(f"{name} ({target[name]:.0%})" for name in splits)]
    print_table(
        columns,
        [[name, *(strata[name].get(one, "") for one in splits)] for name in shown],
        right=columns[1:],
    )
    if len(names) > len(shown):
        console.print(f"[dim]… and {len(names) - len(shown)} strata that are more even[/]")


def _print_certificate(certificate: Certificate) -> None:
    from curatome.dataset.leakage import KINDS

    if certificate.holds:
        console.print(f"Nothing crosses a split. Certificate {certificate.digest[:12]}.")
        return
    for check in certificate.checks:
        if check.found:
            console.print(f"[red]leak[/]    {check.found:,} × {KINDS[check.kind]}")
            for example in check.examples:
                console.print(f"        [dim]{escape(example)}[/]", soft_wrap=True)
        elif check.compared is None:
            console.print(f"[dim]not certified: {escape(check.reason)}[/]")


def _print_diff(found: Diff) -> None:
    rows = [
        (name, *(f"{counts[change]:,}" for change in ("added", "removed", "changed")))
        for name, counts in found.counts().items()
        if any(counts.values())
    ]
    if not rows:
        console.print("Nothing differs.")
        return
    print_table(("", "added", "removed", "changed"), rows, right=("added", "removed", "changed"))
    for (table, reader, before, after), number in sorted(
        found.labels.items(), key=lambda one: -one[1]
    )[:_SHOWN]:
        who = f" by {reader}" if reader else ""
        was, now = before or "no label", after or "no label"
        console.print(escape(f"  {table}: {was} → {now}{who}: {number:,}"))
    for (was, now), number in found.splits.items():
        console.print(escape(f"  split {was or 'none'} → {now or 'none'}: {number:,} items"))
    if found.pixels:
        console.print(f"  other pixels: {count(found.pixels, 'item')}")
