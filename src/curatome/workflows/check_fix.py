"""`curatome check --fix`: what needs no person's eye is mended, as one batch that can be undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curatome.annotations.repair import repair
from curatome.annotations.store import Act, Edit, seen
from curatome.findings import Finding
from curatome.project import Project
from curatome.workflows.annotation_check import annotation_store, frames_of


@dataclass(frozen=True)
class Fixed:
    """What was mended.

    Attributes:
        annotations: how many.
        done: what was done to how many, in words.
        batch: takes it back by `curatome annotations undo`; None if nothing could be done.
    """

    annotations: int
    done: Sequence[tuple[str, int]]
    batch: int | None


def fix_findings(project: Project, findings: Iterable[Finding], reader: str | None = None) -> Fixed:
    """Mend the annotations that findings name; those that were accepted are not among them.

    Args:
        project: the project.
        findings: of rules that are `fixable`.
        reader: who does it.

    Raises:
        StaleEdit: somebody edits at the same moment.
    """
    some = list(findings)
    names = sorted({str(one.evidence["annotation"]) for one in some})
    if not names:
        return Fixed(0, (), None)
    frames = frames_of(project.store.slides())
    with annotation_store(project) as store:
        whole = store.current()
        base = seen(whole)
        table = whole.filter(pc.is_in(whole["annotation"], pa.array(names, pa.string())))
        _, repairs = repair(table, some, frames)
        if not repairs:
            return Fixed(0, (), None)
        edits = [
            Edit(one.annotation, "repair", base, {"geometry": one.after, "kind": one.kind_after})
            for one in repairs
        ]
        done = Counter(one.done for one in repairs).most_common()
        reason = "; ".join(f"{what} ({number})" for what, number in done[:5])
        batch = store.apply(edits, Act(reader, "curatome check --fix", None, reason))
    return Fixed(len(repairs), done, batch.batch)
