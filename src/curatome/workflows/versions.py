"""`curatome log`, `diff`, `verify`, `checkout`, `withdraw`: versions that were made."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from curatome.dataset.versions import (
    Diff,
    Entry,
    VersionInfo,
    diff,
    find_version,
    load_log,
    verify,
)
from curatome.dataset.versions.model import read_info
from curatome.dataset.versions.withdrawing import Wish, Withdrawn, pending, withdraw
from curatome.errors import VersionError
from curatome.findings import Finding
from curatome.location import is_url
from curatome.project import Project, SlideEntry
from curatome.workflows.case_images import built_places, former_slides, images_of_case
from curatome.workflows.purge import purge
from curatome.workflows.watch import Silent, Watcher
from curatome.workflows.withdrawn import WithdrawnCase, load_withdrawn, note_withdrawn

FOLDER = "versions"


def versions_of(project: Project) -> Path:
    """The folder of versions."""
    return project.root / FOLDER


def compare_versions(project: Project, before: str, after: str = "") -> tuple[Entry, Entry, Diff]:
    """What differs between two versions; the latest by default.

    Raises:
        VersionError: one of them is not there.
    """
    root = versions_of(project)
    one, other = find_version(root, before), find_version(root, after)
    return one, other, diff(root / one.folder, root / other.folder)


def verify_versions(
    home: Path, names: Sequence[str] = (), watcher: Watcher | None = None
) -> list[Finding]:
    """Whether versions are what they were.

    Args:
        home: the project's folder, or one that was checked out.
        names: only these; all by default.
        watcher: is told the course.

    Raises:
        VersionError: there is no version, or none of a name.
    """
    root = home / FOLDER
    for name in names:
        find_version(root, name)
    if not root.is_dir():
        raise VersionError(f"{home} has no versions. Make one: curatome version create -m REASON")
    watcher = watcher or Silent()
    watcher.start("reading files and shards", _bytes(root, names), "bytes")
    found = verify(root, home, names, watcher.advance)
    watcher.finish()
    return found


def _bytes(root: Path, names: Sequence[str]) -> int:
    """How much is to be read; shards that versions share once."""
    total = 0
    shards: dict[str, int] = {}
    for entry in load_log(root):
        if names and entry.name not in names:
            continue
        folder = root / entry.folder
        total += sum(path.stat().st_size for path in folder.glob("*"))
        if (folder / "shards.parquet").exists():
            for row in pq.read_table(folder / "shards.parquet").to_pylist():
                shards[row["shard"]] = row["bytes"]
    return total + sum(shards.values())


def checkout(project: Project, name: str, out: Path, watcher: Watcher | None = None) -> VersionInfo:
    """Copy a version, with its shards, to a folder of its own.

    Raises:
        VersionError: there is no such version, or the folder holds something.
    """
    watcher = watcher or Silent()
    root = versions_of(project)
    finish_withdrawal_first(project)
    entry = find_version(root, name)
    if out.exists() and any(out.iterdir()):
        raise VersionError(f"{out} holds other files. Name a folder that is new.")
    info = read_info(root / entry.folder)
    shards = pq.read_table(root / entry.folder / "shards.parquet").to_pylist()
    watcher.start("copying shards", len(shards), "shards")
    for row in shards:
        if not is_url(row["shard"]):
            target = out / row["shard"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project.root / row["shard"], target)
        watcher.advance(1, row["bytes"])
    watcher.finish()
    shutil.copytree(root / entry.folder, out / FOLDER / entry.folder)
    shutil.copyfile(root / "log.json", out / FOLDER / "log.json")
    return info


@dataclass(frozen=True)
class Belongings:
    """What a project has of a case.

    Attributes:
        slides: its slides.
        former: ids of those that are registered no more, but in the build or a version.
        images: its region images, and copies of them, as `source/hash`.
    """

    slides: tuple[SlideEntry, ...]
    former: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of slides, then images."""
        return (*(entry.slide for entry in self.slides), *self.former, *self.images)


def belongings(project: Project, case: str) -> Belongings:
    """What a project has of a case, whether it is in a version or not.

    Args:
        project: the project.
        case: its name: of slides, and of the images of every source; `source/case` is that of one
            source only, and an image without a case is called `source/path`.
    """
    slides = tuple(entry for entry in project.store.slides() if entry.case == case)
    root = versions_of(project)
    former = former_slides(project, root, case)
    return Belongings(slides, former, images_of_case(project, root, case))


def withdraw_case(project: Project, case: str, reason: str) -> Withdrawn:
    """Take a case out of every version, of the build, of sources, annotations and the project.

    It is put on the list of withdrawn cases, so no later command brings it back.

    Raises:
        VersionError: nobody knows the case, or nothing is left of it.
    """
    with project.locked():
        root = versions_of(project)
        begun = pending(root)
        if begun is not None:
            done = _withdraw(project, begun)
            if begun.case == case:
                return done
        found = belongings(project, case)
        if not found.names and case not in project.store.cases():
            raise VersionError(_unknown(project, case))
        time = datetime.now(UTC).isoformat(timespec="seconds")
        files = [name for e in found.slides for name in (e.name, Path(e.name).stem)]
        contents = [name.rpartition("/")[2] for name in found.names]
        gone = WithdrawnCase(case, reason, time).with_marks([*files, *contents])
        note_withdrawn(project, gone)
        return _withdraw(project, Wish(case, found.names, reason, time))


def finish_withdrawal(project: Project) -> None:
    """Finish what was begun and interrupted; the project is locked."""
    begun = pending(versions_of(project))
    if begun is not None:
        _withdraw(project, begun)


def finish_withdrawal_first(project: Project) -> None:
    """Finish what was begun and interrupted before versions are read; locks if there is any.

    Raises:
        ProjectError: another process is changing the project.
    """
    if pending(versions_of(project)) is not None:
        with project.locked():
            finish_withdrawal(project)


def _unknown(project: Project, case: str) -> str:
    before = load_withdrawn(project).find([case])
    if before is not None:
        return f"nothing is left of {before}."
    return (
        f'no slide belongs to a case "{case}", no table names it, and no source has an image of it.'
    )


def _withdraw(project: Project, wish: Wish) -> Withdrawn:
    root = versions_of(project)

    def rest() -> None:
        purge(project, root, wish)

    return withdraw(root, project.root, wish, rest, lambda: built_places(project))
