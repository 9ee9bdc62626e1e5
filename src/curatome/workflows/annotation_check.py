"""`curatome annotations check` and `repair`: shapes that cannot be as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from curatome.annotations.check import problems
from curatome.annotations.formats import Frame, Frames
from curatome.annotations.repair import REPAIRABLE, Repair, repair
from curatome.annotations.store import Act, AnnotationStore, Batch, Edit, open_annotations, seen
from curatome.errors import AnnotationError
from curatome.findings import Finding
from curatome.project import Project, SlideEntry

KEPT = 200
"""Findings of one code that are kept of one file; the others are counted."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        findings: up to `KEPT` of each code.
        counts: how many there are of each code.
    """

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Repaired:
    """What a repair did, or would do.

    Attributes:
        repairs: one for each annotation.
        batch: what recorded them; None on a dry run, or if there is nothing to do.
    """

    repairs: tuple[Repair, ...]
    batch: Batch | None


def annotation_store(project: Project) -> AnnotationStore:
    """The project's annotations.

    Raises:
        ProjectError: the store cannot be opened, or is of another version.
    """
    return open_annotations(project.annotations)


def frame_of(entry: SlideEntry) -> Frame:
    """A slide of the project as an image that annotations lie on."""
    mpp = entry.mpp
    return Frame(
        image=entry.slide,
        name=entry.name,
        width=entry.width or 0,
        height=entry.height or 0,
        mpp_x=None if mpp is None else mpp.x,
        mpp_y=None if mpp is None else mpp.y,
    )


def frames_of(entries: Iterable[SlideEntry]) -> Frames:
    """The slides whose size is known."""
    return Frames([frame_of(entry) for entry in entries if entry.width and entry.height])


def checked(table: pa.Table, frames: Frames) -> Checked:
    """What is wrong with the shapes of a table; see `annotations.check`."""
    found = problems(table, frames)
    counts = Counter(finding.code for finding in found)
    kept: list[Finding] = []
    left = dict.fromkeys(counts, KEPT)
    for finding in found:
        if left[finding.code]:
            left[finding.code] -= 1
            kept.append(finding)
    return Checked(tuple(kept), dict(counts))


def check_annotations(project: Project) -> Checked:
    """Look at every shape of the project, and keep what was found instead of earlier findings.

    Raises:
        ProjectError: the store cannot be used.
    """
    with annotation_store(project) as store:
        result = checked(store.current(), frames_of(project.store.slides()))
        sources = {batch.act.source for batch in store.batches()} - {None}
    with project.locked():
        for source in sources:
            project.store.save_findings(f"annotations:{source}", [])
        project.store.save_findings("annotations", result.findings)
    return result


def repair_annotations(
    project: Project,
    codes: Collection[str] = (),
    *,
    reader: str | None = None,
    dry_run: bool = False,
) -> Repaired:
    """Mend shapes that need no person's eye, as one batch that can be undone.

    Args:
        project: the project.
        codes: which findings; all that can be mended if none is given.
        reader: who does it.
        dry_run: only say what would be done.

    Raises:
        AnnotationError: a code is none that can be mended.
        StaleEdit: somebody edits at the same moment.
    """
    for code in codes:
        if code not in REPAIRABLE:
            raise AnnotationError(
                f"{code} cannot be mended without a person. These can: "
                f"{', '.join(sorted(REPAIRABLE))}."
            )
    wanted = set(codes) or REPAIRABLE
    frames = frames_of(project.store.slides())
    with annotation_store(project) as store:
        table = store.current()
        found = [one for one in problems(table, frames) if one.code in wanted]
        _, repairs = repair(table, found, frames)
        if dry_run or not repairs:
            return Repaired(repairs, None)
        edits = [
            Edit(
                one.annotation,
                "repair",
                seen(table),
                {"geometry": one.after, "kind": one.kind_after},
            )
            for one in repairs
        ]
        done = Counter(one.done for one in repairs)
        reason = "; ".join(f"{what} ({number})" for what, number in done.most_common(5))
        batch = store.apply(edits, Act(reader, "curatome annotations repair", None, reason))
    check_annotations(project)
    return Repaired(repairs, batch)
