"""`curatome complete`: how many objects did everybody miss?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curatome.agreement.completeness import captures_of, completeness
from curatome.agreement.matching import NOTHING
from curatome.agreement.ratings import Ratings, ratings
from curatome.errors import AnnotationError
from curatome.findings import Measure
from curatome.project import Project
from curatome.workflows.reads import REFERENCE, Matching, ProjectReads, project_reads

ORIGIN = "complete"


@dataclass(frozen=True, eq=False)
class Completeness:
    """What was estimated.

    Attributes:
        readers: whose reads were compared.
        images: images that all of them read.
        objects: objects that anybody found there.
        confirmed: whether only objects that were adjudicated count.
        how: how objects were matched.
        measures: `missed`, `objects` and `completeness` of all, of classes and readers.
    """

    readers: tuple[str, ...]
    images: int
    objects: int
    confirmed: bool
    how: str
    measures: tuple[Measure, ...]


def estimate_completeness(
    project: Project,
    matching: Matching | None = None,
    readers: Sequence[str] = (),
    model: str = "auto",
    by_class: bool = True,
) -> Completeness:
    """Estimate what was missed, and keep the measures.

    Where something was adjudicated, only objects that the reference has count as real; else
    every object that anybody marked does, and false marks make completeness look too low.

    Args:
        project: the project.
        matching: when two readers' objects are one.
        readers: only these, a model among them if it read; all by default.
        model: as `agreement.completeness.missed` takes it.
        by_class: whether each class is estimated by itself, and all as their sum.

    Raises:
        AnnotationError: there are no two readers of one image.
        TableError: the model is not made for so many readers, or the counts tell nothing.
    """
    reads = project_reads(project, matching, readers, reference=True)
    confirmed = REFERENCE in reads.readers
    people = [one for one in reads.readers if one != REFERENCE]
    said = _objects(reads, people)
    if said is None or len(people) < 2:
        raise AnnotationError(
            "completeness needs objects on images that two readers read without seeing each "
            f"other's marks. {len(people)} readers annotated objects: {', '.join(people) or '–'}."
        )
    classes = _classes(reads, said, confirmed)
    said = said.take(np.flatnonzero([one is not None for one in classes]))
    names = [one for one in classes if one is not None]
    found = captures_of(said)
    groups = _groups(said, names) if by_class else None
    measures = completeness(found, groups, model=model)
    project.store.save_measures(ORIGIN, measures)
    return Completeness(
        tuple(people), _images(reads, said), len(found), confirmed, reads.how, tuple(measures)
    )


def _objects(reads: ProjectReads, people: Sequence[str]) -> Ratings | None:
    """What people said of objects on images that all of them read."""
    table = reads.table.filter(pc.starts_with(reads.table["item"], "object"))
    table = table.filter(pc.is_in(table["reader"], pa.array(list(people), pa.string())))
    # Found, but not named: it counts as found.
    nameless = pc.fill_null(table["label"], "not judged")
    table = table.set_column(table.schema.get_field_index("label"), "label", nameless)
    if not len(table):
        return None
    said = ratings(table)
    said = said.take(np.flatnonzero(said.seen.all(axis=1)))
    return said if len(said) else None


def _classes(reads: ProjectReads, said: Ratings, confirmed: bool) -> list[str | None]:
    """The class of each item, none where the reference has no such object."""
    if confirmed:
        mine = reads.table.filter(pc.equal(reads.table["reader"], REFERENCE))
        called = dict(zip(mine["item"].to_pylist(), mine["label"].to_pylist(), strict=True))
        names = [called.get(item) for item in said.items.to_pylist()]
        return [None if name in (None, NOTHING) else name for name in names]
    counts = said.counts()
    if NOTHING in said.labels:
        counts[:, said.labels.index(NOTHING)] = -1
    return [said.labels[k] for k in counts.argmax(axis=1)]


def _groups(said: Ratings, classes: Sequence[str]) -> list[str]:
    """The class of each object that somebody found, as `captures_of` keeps them."""
    nothing = said.labels.index(NOTHING) if NOTHING in said.labels else -2
    marked = (said.codes != nothing).any(axis=1)
    return [name for name, one in zip(classes, marked.tolist(), strict=True) if one]


def _images(reads: ProjectReads, said: Ratings) -> int:
    mine = reads.table.filter(pc.is_in(reads.table["item"], said.items.cast(pa.string())))
    return len(pc.unique(mine["image"]))
