"""`curatome agree`: how well readers agree with each other, and with themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.coefficients import (
    by_class,
    by_domain,
    by_label,
    by_pair,
    by_reader,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
    positive_agreement,
)
from curatome.agreement.detection import between_readers
from curatome.agreement.matching import item_values
from curatome.agreement.ratings import Ratings, ratings
from curatome.agreement.repeat import intra_reader
from curatome.agreement.segmentation import Overlap, compare_shapes, overlap_measures
from curatome.errors import AnnotationError
from curatome.findings import Measure
from curatome.project import Project
from curatome.workflows.reads import Matching, ProjectReads, Whole, named, project_reads

ORIGIN = "agree"
_MOST_PAIRS = 4000  # of outlines that are compared; of more, so many are drawn


@dataclass(frozen=True, eq=False)
class Agreement:
    """What was measured.

    Attributes:
        readers: who read.
        objects: items that are objects.
        images: items that are whole images.
        shared: items that at least two readers judged.
        how: how objects were matched.
        left_out: annotations that took no part, by why.
        measures: all of them; `Measure.subject` tells class, domain and readers apart.
    """

    readers: tuple[str, ...]
    objects: int
    images: int
    shared: int
    how: str
    left_out: dict[str, int]
    measures: tuple[Measure, ...]


def measure_agreement(
    project: Project,
    matching: Matching | None = None,
    readers: Sequence[str] = (),
    by: str | None = None,
) -> Agreement:
    """Measure agreement and keep the measures.

    Args:
        project: the project.
        matching: when two readers' objects are one.
        readers: only these; all by default.
        by: site, scanner or stain: also within each of its values.

    Raises:
        AnnotationError: there are not two readers of anything.
    """
    reads = project_reads(project, matching, readers)
    said = ratings(reads.table)
    if len(said.readers) < 2 and not len(reads.repeats):
        raise AnnotationError(
            f"only {said.readers[0]} has annotated. Agreement needs a second reader, or a second "
            "read: curatome import PATH --reader NAME, or --read 2"
        )
    labelled = named(said)
    shared = labelled.seen.sum(axis=1) > 1
    measures = [*_of_objects(reads, by), *_of_labels(reads, labelled, by), *_of_repeats(reads)]
    measures += _of_outlines(reads)
    project.store.save_measures(ORIGIN, measures)
    kinds = [str(item).partition(" ")[0] for item in said.items.to_pylist()]
    return Agreement(
        said.readers,
        kinds.count("object"),
        kinds.count("image"),
        int(shared.sum()),
        reads.how,
        reads.left_out,
        tuple(measures),
    )


def _of_objects(reads: ProjectReads, by: str | None) -> list[Measure]:
    """Who finds the same objects, whatever they are called, and of each class."""
    table = reads.table.filter(pc.starts_with(reads.table["item"], "object"))
    if not len(table):
        return []
    said = ratings(table)
    if len(said.readers) < 2:
        return []
    domain = item_values(table, by, said.items) if by else None
    return between_readers(said, domain=domain)


def _of_labels(reads: ProjectReads, said: Ratings, by: str | None) -> list[Measure]:
    """What readers call the things that several of them saw."""
    several = said.take(said.seen.sum(axis=1) > 1)
    if not len(several) or len(several.readers) < 2:
        return []
    two = len(several.readers) == 2
    whole = [percent_agreement(), krippendorff_alpha(), gwet_ac()]
    whole.append(cohen_kappa() if two else fleiss_kappa())
    found = [one.measure(several) for one in whole]
    found += by_class(krippendorff_alpha(), several)
    found += by_label(positive_agreement, several)
    if not two:
        found += by_pair(cohen_kappa(), several) + by_reader(cohen_kappa(), several)
    if by:
        domains = item_values(reads.table, by, several.items).to_pylist()
        found += by_domain(krippendorff_alpha(), several, domains)
    return found


def _of_repeats(reads: ProjectReads) -> list[Measure]:
    """How far readers agree with their own earlier read; objects found once disagree."""
    if not len(reads.repeats):
        return []
    found = intra_reader(percent_agreement(), reads.repeats)
    found += intra_reader(cohen_kappa(), reads.repeats)
    return [_renamed(one) for one in found]


def _renamed(one: Measure) -> Measure:
    return Measure(**{**vars(one), "name": f"intra_reader_{one.name}"})


def _of_outlines(reads: ProjectReads) -> list[Measure]:
    """How near the outlines of matched objects lie to each other: of all, classes and readers."""
    pairs = _outlined_twice(reads)
    if len(pairs) > _MOST_PAIRS:
        chosen = np.random.default_rng(0).choice(len(pairs), _MOST_PAIRS, replace=False)
        pairs = pairs[np.sort(chosen)]
    label = ["; ".join(sorted(one)) for one in reads.objects["labels"].to_pylist()]
    reader, image = (reads.objects[name].to_pylist() for name in ("reader", "image"))
    cases = _cases(reads.table)
    found: dict[str, list[tuple[Overlap, int]]] = {}
    for one, other in pairs.tolist():
        overlap = compare_shapes(reads.shapes[one], reads.shapes[other])
        first, second = sorted((reader[one], reader[other]))
        for subject in ("all", f"class {label[one]}", f"readers {first} and {second}"):
            found.setdefault(subject, []).append((overlap, cases[image[one]]))
    measures: list[Measure] = []
    for subject in sorted(found, key=lambda one: (one != "all", one)):
        overlaps, of_case = zip(*found[subject], strict=True)
        measures += overlap_measures(overlaps, np.array(of_case), subject)
    return measures


def _outlined_twice(reads: ProjectReads) -> Whole:
    """(P, 2) objects with an area that are one item, on images of known scale."""
    rows = np.flatnonzero(reads.scaled & (shapely.area(reads.shapes) > 0))
    held: dict[int, list[int]] = {}
    for row in rows.tolist():
        held.setdefault(int(reads.items[row]), []).append(row)
    pairs = [pair for members in held.values() for pair in combinations(members, 2)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _cases(table: pa.Table) -> dict[str, int]:
    names = table.group_by(["image", "case"]).aggregate([])
    case = {name: k for k, name in enumerate(sorted(pc.unique(names["case"]).to_pylist()))}
    pairs = zip(names["image"].to_pylist(), names["case"].to_pylist(), strict=True)
    return {image: case[one] for image, one in pairs}
