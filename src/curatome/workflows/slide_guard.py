"""Slides of withdrawn cases are not registered again."""

from __future__ import annotations

from dataclasses import replace

from curatome.project import Project, SlideEntry
from curatome.workflows.withdrawn import WithdrawnCase, left_out, load_withdrawn, note_withdrawn


class SlideGuard:
    """Keeps slides of withdrawn cases out of a project that is being added to.

    Args:
        project: the project, locked.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._withdrawn = load_withdrawn(project)
        self._left_out: list[WithdrawnCase] = []

    def allows(self, case: str) -> bool:
        """Whether fields of a case may be kept."""
        return self._withdrawn.find([case]) is None

    def leaves_out(self, entry: SlideEntry) -> bool:
        """Whether a slide that is not registered may not be: by its case or by its content."""
        case = self._withdrawn.find([entry.case], [entry.slide])
        if case is None or self._project.store.slide(entry.slide) is not None:
            return False
        self._left_out.append(case)
        note_withdrawn(self._project, case.with_marks([entry.slide]))
        return True

    def finish(self) -> tuple[str, ...]:
        """Refuse slides that were registered before a table said that they are of such a case.

        Returns:
            What is to be said about all slides that were kept out.
        """
        said = list(left_out(self._left_out, "slide"))
        for entry in self._project.store.slides():
            case = self._withdrawn.find([entry.case])
            if case is None:
                continue
            why = f"{entry.name} is of {case}. `curatome withdraw {case.case}` takes it out."
            if entry.state != "refused" or entry.reason != why:
                refused = replace(entry, state="refused", reason=why, mpp=None)
                self._project.store.save_slide(refused, [])
            said.append(f"refused: {why}")
        return tuple(said)
