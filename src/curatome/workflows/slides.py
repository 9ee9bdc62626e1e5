"""`curatome slides`: set the scale of a slide whose file does not say it, or says it wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from curatome.errors import ProjectError
from curatome.findings import Finding
from curatome.project import Project, SlideEntry
from curatome.workflows.add import judge


def find_entries(project: Project, names: Sequence[str]) -> list[SlideEntry]:
    """Slides by id (or its beginning), path, file name, or file name without extension.

    Raises:
        ProjectError: a name fits no slide, or several.
    """
    slides = project.store.slides()
    found = []
    for name in names:
        fitting = [entry for entry in slides if _fits(entry, name)]
        if len(fitting) != 1:
            which = ", ".join(f"{e.name} ({e.slide})" for e in fitting) or "none"
            raise ProjectError(
                f'"{name}" fits {len(fitting)} slides: {which}. `curatome slides` lists them all; '
                "use the id in its first column."
            )
        found.append(fitting[0])
    return found


def set_mpp(
    project: Project, entries: Sequence[SlideEntry], x: float, y: float
) -> list[tuple[SlideEntry, list[Finding]]]:
    """Set the scale of slides by hand; it goes before what file and table say.

    Args:
        project: the project.
        entries: which slides.
        x: µm per level-0 pixel, left to right.
        y: the same, top to bottom.

    Returns:
        Each slide as it is now, and what is left to say about it.

    Raises:
        ProjectError: the scale is no positive number, a slide cannot be read, or another process
            is changing the project.
    """
    if not (0 < x < float("inf") and 0 < y < float("inf")):
        raise ProjectError(f"mpp must be positive. Got {x:g} and {y:g}.")
    for entry in entries:
        if entry.state in ("refused", "unreadable"):
            raise ProjectError(f"{entry.name} is {entry.state}: {entry.reason}")
    results = []
    with project.locked():
        for entry in entries:
            changed, findings = judge(replace(entry, user_mpp=(x, y)))
            project.store.save_slide(changed, findings)
            results.append((changed, findings))
    return results


def _fits(entry: SlideEntry, name: str) -> bool:
    stem = entry.name.rpartition(".")[0]
    prefix = len(name) >= 4 and entry.slide.startswith(name)
    return prefix or name in (entry.path, entry.name, stem)
