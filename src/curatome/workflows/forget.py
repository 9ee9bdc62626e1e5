"""Slides that are registered no more: named by a person, or gone with their files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from curatome.location import Location, located
from curatome.project import Project, SlideEntry
from curatome.slides.stamp import slide_stamps

_FILE = "file:"
_MAGIC = re.compile(r"[*?\[]")


def forget_slides(project: Project, entries: Sequence[SlideEntry]) -> list[SlideEntry]:
    """Forget slides, where they lay, and what was found about them; no file is touched.

    The next build is without them. Their annotations stay, and are theirs again if they are
    added again.

    Returns:
        Those that were still registered, as they were.

    Raises:
        ProjectError: another process is changing the project.
    """
    with project.locked():
        known = {entry.slide: entry for entry in project.store.slides()}
        wanted = dict.fromkeys(entry.slide for entry in entries)
        forgotten = [known[slide] for slide in wanted if slide in known]
        for entry in forgotten:
            project.store.forget_slide(entry.slide)
    return forgotten


def forget_gone(project: Project, paths: Sequence[str | Path]) -> None:
    """Clear what was found about files that are not there any more, below paths to be added.

    A slide that was held back, refused or unreadable is forgotten when no file of it is left.
    One that is ready stays: its disk may be away, and what was built of it is sound.

    Args:
        project: the project; it must be locked.
        paths: files, folders, globs and URLs of these. A folder that is away clears nothing.
    """
    store = project.store
    roots = [root for root in map(_root, paths) if isinstance(root, str) or root.is_dir()]
    unread = [origin.removeprefix(_FILE) for origin in store.origins(_FILE)]
    files = store.files()
    unusable = {entry.slide for entry in store.slides() if entry.state != "ready"}
    held = [path for path, (slide, _) in files.items() if slide in unusable]
    below = {p for p in (*unread, *held) if _lies_below(project.location(p), roots)}
    touched = {files[path][0] for path in held if path in below}
    several = [path for path in held if files[path][0] in touched]
    gone = _gone(project, {*below, *several})
    for path in below & gone & set(unread):
        store.save_findings(f"{_FILE}{path}", ())
    there = {files[path][0] for path in several if path not in gone}
    for slide in sorted(touched - there):
        store.forget_slide(slide)


def _root(path: str | Path) -> Location:
    """The folder or file that a path, glob or URL begins with."""
    place = located(path)
    text = place if isinstance(place, str) else os.path.abspath(place)  # noqa: PTH100 - links stay
    magic = _MAGIC.search(text)
    if magic:
        text = text[: text.rfind("/", 0, magic.start())]
    return text if isinstance(place, str) else Path(text)


def _lies_below(place: Location, roots: Iterable[Location]) -> bool:
    return any(f"{place}/".startswith(f"{str(root).rstrip('/')}/") for root in roots)


def _gone(project: Project, paths: Iterable[str]) -> set[str]:
    """Those that are not there; a file whose store cannot be asked is not known to be gone."""
    places = {path: project.location(path) for path in paths}
    now = slide_stamps(places.values())
    return {path for path, place in places.items() if place in now and now[place] is None}
