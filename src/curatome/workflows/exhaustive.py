"""`curatome annotations exhaustive`: where everything of some classes is annotated.

Only there does a place without an annotation mean that nothing is there.
"""

from __future__ import annotations

from collections.abc import Sequence

import shapely

from curatome.annotations.model import new_id
from curatome.annotations.store import Act, Batch, Edit
from curatome.errors import AnnotationError
from curatome.project import Project
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.slides import find_entries

_AREAS = ("box", "circle", "ellipse", "polygon", "multipolygon")


def declare_exhaustive(
    project: Project,
    classes: Sequence[str],
    *,
    drawn_as: str | None = None,
    slides: Sequence[str] = (),
    reader: str | None = None,
) -> Batch | None:
    """Declare regions in which everything of some classes is annotated.

    Args:
        project: the project.
        classes: what is annotated completely there.
        drawn_as: the class under which the regions were drawn; those that are declared for these
            classes already are left as they are.
        slides: whole slides, by id or name.
        reader: who says so.

    Returns:
        The batch; None if all of it was declared before.

    Raises:
        AnnotationError: nothing was drawn under that class, or a class is not of the protocol.
        ProjectError: a slide is not in the project.
    """
    known = [one.name for one in project.protocol.classes]
    for name in classes:
        if known and name not in known:
            raise AnnotationError(
                f'"{name}" is no class of the protocol. There are: {", ".join(known)}.'
            )
    version = project.protocol.guideline.version
    common = {"labels": list(classes), "reader": reader, "guideline": version}
    with annotation_store(project) as store:
        declared = {
            (row["image"], row["geometry"], tuple(sorted(row["classes"])))
            for row in store.regions().to_pylist()
        }
        shapes = []
        if drawn_as is not None:
            drawn = [row for row in store.current().to_pylist() if drawn_as in row["labels"]]
            if not drawn:
                raise AnnotationError(f'nothing is annotated as "{drawn_as}".')
            shapes += [
                (row["image"], row["kind"], row["geometry"], [row["annotation"]])
                for row in drawn
                if row["kind"] in _AREAS
            ]
        for entry in find_entries(project, slides):
            whole = shapely.to_wkb(shapely.box(0, 0, entry.width or 0, entry.height or 0))
            shapes.append((entry.slide, "box", whole, []))
        edits = [
            Edit(
                new_id(),
                "create",
                values={
                    **common,
                    "image": image,
                    "kind": kind,
                    "geometry": wkb,
                    "parents": parents,
                    "basis": "drawn",
                },
                region=True,
            )
            for image, kind, wkb, parents in shapes
            if (image, wkb, tuple(sorted(classes))) not in declared
        ]
        if not edits:
            return None
        reason = f"everything of {', '.join(classes)} is annotated"
        return store.apply(edits, Act(reader, "curatome", version, reason))
