"""Annotations of withdrawn cases are not recorded again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from curatome.project import Project
from curatome.workflows.withdrawn import WithdrawnCase, left_out, load_withdrawn


class AnnotationGuard:
    """Tells annotations of withdrawn cases by the image or the file that they are about.

    Args:
        project: the project.
        slides: ids of its slides, which are of no withdrawn case.
    """

    def __init__(self, project: Project, slides: Collection[str]) -> None:
        self._withdrawn = load_withdrawn(project)
        self._slides = set(slides)

    def allows(self, image: str | None) -> bool:
        """Whether something about an image may be recorded."""
        return self._case(image) is None

    def rest(self, table: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
        """Annotations without those of withdrawn cases, and what is to be said about these."""
        images = table.column("image").to_pylist()
        found = {one: self._case(one) for one in set(images)}
        gone = [case for case in map(found.get, images) if case is not None]
        if not gone:
            return table, ()
        kept = pa.array([found[one] is None for one in images], pa.bool_())
        return table.filter(kept), left_out(gone, "annotation")

    def about(self, path: Path) -> str:
        """Why a file is not read that is about a withdrawn slide by its own name; or nothing."""
        name = path.name
        begun = [name[:end] for end in range(1, len(name)) if not name[end].isalnum()]
        case = self._withdrawn.find([], [*begun, name])
        return "" if case is None else f"is about a slide of {case}."

    def _case(self, image: str | None) -> WithdrawnCase | None:
        if image is None or image in self._slides:
            return None
        return self._withdrawn.find([], [image, image.rpartition("/")[2], Path(image).stem])
