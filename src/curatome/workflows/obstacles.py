"""Findings of a build: what keeps a slide, or one of its scales, out of the dataset."""

from __future__ import annotations

from curatome.findings import Finding, Severity
from curatome.jobs import Failure
from curatome.location import Location
from curatome.project import SlideEntry
from curatome.slides.inventory import unfetched
from curatome.slides.opening import FETCH
from curatome.tiles.record import SlideRecord
from curatome.tiles.shards import STORE


def failed_slide(entry: SlideEntry, failure: Failure) -> Finding:
    """ACQ001 for a slide that was registered but could not be read to its end.

    If a store is at fault and not the slide, STO001 where it was to be fetched, STO002 where one
    of its shards was to be stored.
    """
    if failure.stage.startswith(FETCH):
        return unfetched(f"slide {entry.slide}", entry.path, failure.message)
    if failure.stage.startswith(STORE):
        return _unstored(entry, failure)
    return Finding(
        code="ACQ001",
        severity=Severity.ERROR,
        subject=f"slide {entry.slide}",
        message=f"{_what(entry, failure)} The slide is left out of the build.",
        remedy="Copy the file again from the scanner and run `curatome build` once more.",
        evidence={"kind": failure.kind, "stage": failure.stage},
        key="build",
    )


def _unstored(entry: SlideEntry, failure: Failure) -> Finding:
    shard = failure.stage.removeprefix(STORE).strip()
    message = failure.message if shard in failure.message else f"{shard}: {failure.message}."
    return Finding(
        code="STO002",
        severity=Severity.ERROR,
        subject=f"slide {entry.slide}",
        message=f"{message} {entry.name} is left out until all of its shards are stored.",
        remedy="See that the store can be reached and written to, and run `curatome build` once "
        "more; it makes what is missing.",
        evidence={"kind": failure.kind, "shard": shard},
    )


def _what(entry: SlideEntry, failure: Failure) -> str:
    # Readers say file, stage and remedy themselves; a child that died says neither.
    if failure.kind == "error" and entry.name in failure.message:
        return failure.message
    return f"{entry.name} could not be read: {failure}."


def changed_on_disk(
    entry: SlideEntry, path: Location, stamp: str | None, found: str | None
) -> Finding | None:
    """ACQ009 for a slide whose file is gone, or is not the one that was registered.

    Args:
        entry: the slide.
        path: where it should be.
        stamp: `file_stamp` when it was registered.
        found: the same, now.
    """
    if found is not None and found == stamp:
        return None
    what = "is not there any more" if found is None else "has changed since it was added"
    return Finding(
        code="ACQ009",
        severity=Severity.ERROR,
        subject=f"slide {entry.slide}",
        message=f"{path} {what}.",
        remedy="Run `curatome add` with its present place, or do without it: `curatome slides "
        "remove`.",
    )


def plan_findings(entry: SlideEntry, record: SlideRecord) -> list[Finding]:
    """ACQ007, ACQ008 and ACQ014: scales the slide cannot give, tissue or tiles it lacks."""
    subject = f"slide {entry.slide}"
    found = [
        Finding(
            code="ACQ007",
            severity=Severity.WARNING,
            subject=subject,
            message=f"{entry.name} at {entry.mpp} is too coarse for scale {name}: "
            f"it would be enlarged {factor:.3g}-fold.",
            remedy="Scan it at a higher power, leave it out, or raise max_enlargement under "
            "[build] if blurred tiles will do.",
            evidence={"enlargement": factor},
            key=name,
        )
        for name, factor in record.too_coarse.items()
    ]
    if record.tissue_mm2 == 0:
        found.append(
            Finding(
                code="ACQ008",
                severity=Severity.WARNING,
                subject=subject,
                message=f"no tissue was found on {entry.name}.",
                remedy="Look at it. If there is pale tissue, raise sensitivity under [tissue].",
            )
        )
        return found
    empty = [name for name, count in record.tiles.items() if not count]
    if empty:
        found.append(
            Finding(
                code="ACQ014",
                severity=Severity.NOTE,
                subject=subject,
                message=f"{entry.name} gives no tile of scale {', '.join(empty)}: it is too "
                "small, or no place of that size holds enough tissue.",
                remedy='Set edge = "pad" under [build], or lower min_tissue of the scale, if '
                "such tiles are wanted.",
                evidence={"scales": empty},
            )
        )
    return found
