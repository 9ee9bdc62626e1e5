"""`curatome slides`: set the scale of a slide whose file does not say it, or says it wrongly."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from curatome.errors import ProjectError
from curatome.findings import Finding
from curatome.project import Project, SlideEntry
from curatome.workflows.add import judge

_LISTED = 5  # slides that an ambiguous name is said to fit
_SHORTEST_ID = 4  # digits of an id that are taken for its beginning


def find_entries(project: Project, names: Sequence[str]) -> list[SlideEntry]:
    """Slides by id, path, file name with or without extension, or by the beginning of id or name.

    A whole name goes before a beginning: `a1` is a1.svs, even if there is an a12.svs.

    Raises:
        ProjectError: a name fits no slide, or several.
    """
    slides = project.store.slides()
    return [_find_entry(slides, name) for name in names]


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
    return _set(project, entries, (x, y))


def unset_mpp(
    project: Project, entries: Sequence[SlideEntry]
) -> list[tuple[SlideEntry, list[Finding]]]:
    """Take back what `set_mpp` said: table and file count again, and a slide may be held back.

    Returns:
        Each slide as it is now, and what is left to say about it.

    Raises:
        ProjectError: a slide cannot be read, or another process is changing the project.
    """
    return _set(project, entries, None)


def _set(
    project: Project, entries: Sequence[SlideEntry], mpp: tuple[float, float] | None
) -> list[tuple[SlideEntry, list[Finding]]]:
    results = []
    with project.locked():
        # They are read again: another process may have changed them since they were looked up.
        known = {entry.slide: entry for entry in project.store.slides()}
        for asked in entries:
            entry = known.get(asked.slide)
            if entry is None:
                raise ProjectError(f"{asked.name} was removed meanwhile.")
            if entry.state in ("refused", "unreadable"):
                raise ProjectError(f"{entry.name} is {entry.state}: {entry.reason}")
        for asked in entries:
            changed, findings = judge(replace(known[asked.slide], user_mpp=mpp))
            project.store.save_slide(changed, findings)
            results.append((changed, findings))
    return results


def _find_entry(slides: Sequence[SlideEntry], name: str) -> SlideEntry:
    whole = [entry for entry in slides if name in _names(entry)]
    begun = [entry for entry in slides if name and _begins(entry, name)]
    fitting = whole or begun
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        begun_by = {part: e.name for e in slides for part in (e.name[: len(name)], e.name)}
        close = difflib.get_close_matches(name, begun_by, n=1)
        guess = f' Did you mean "{begun_by[close[0]]}"?' if close else ""
        raise ProjectError(f'no slide is called "{name}".{guess} `curatome slides` lists them all.')
    which = ", ".join(f"{e.slide[:8]} {e.name}" for e in fitting[:_LISTED])
    more = f", and {len(fitting) - _LISTED} more" if len(fitting) > _LISTED else ""
    raise ProjectError(
        f'"{name}" fits {len(fitting)} slides: {which}{more}. Write more of the name, or the id, '
        "which stands before it."
    )


def _names(entry: SlideEntry) -> tuple[str, ...]:
    return (entry.slide, entry.path, entry.name, entry.name.rpartition(".")[0])


def _begins(entry: SlideEntry, name: str) -> bool:
    return entry.name.startswith(name) or (
        len(name) >= _SHORTEST_ID and entry.slide.startswith(name)
    )
