"""`curatome sources`: check copies of public datasets, and register them with a project."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curatome.durable import write_file
from curatome.errors import BuildError, SourceError
from curatome.findings import Finding, Severity
from curatome.hashes import settings_hash
from curatome.jobs import Limits, Task, run_tasks
from curatome.project import Project
from curatome.slides.scale import HIGHEST_MPP, LOWEST_MPP
from curatome.sources import (
    Entry,
    Listing,
    Source,
    SourceCheck,
    check_listing,
    find_source,
    recognize,
    registered_sources,
    walk,
)
from curatome.sources.adapters import list_source
from curatome.workflows.added import (
    AddedSource,
    Wishes,
    added_names,
    duplicates_of,
    save_added,
    sources_folder,
)
from curatome.workflows.case_images import without_withdrawn
from curatome.workflows.watch import Silent, Watcher

_CHUNK = 512  # images that a child hashes before it reports
_SHOWN = 5


@dataclass(frozen=True)
class AddSourceResult:
    """What `sources add` did.

    Attributes:
        source: name of the source.
        images: images registered.
        duplicates: those with the content of another one.
        check: counts against the published ones.
        findings: all that was found.
        left_out: what is said about images of withdrawn cases, a line for each case.
    """

    source: str
    images: int
    duplicates: int
    check: SourceCheck
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()


def check_source(path: Path, name: str | None = None) -> SourceCheck:
    """A dry run: which source a copy is of, and how its counts compare. No image is opened.

    Args:
        path: the folder it was unpacked into.
        name: of a registered source, or a TOML file; recognized by its layout if not given.

    Raises:
        SourceError: the copy or its listing cannot be used, or is of no known source.
    """
    files = walk(path)
    if name is None:
        return check_listing(*recognize(files, registered_sources()))
    source = find_source(name)
    listing = list_source(files, source.layout)
    if not listing.entries and not listing.missing:
        raise SourceError(
            f"{path} does not have the layout of {source.name}: no image there fits. "
            f"`curatome sources show {source.name}` tells what it looks like."
        )
    return check_listing(source, listing)


def add_source(
    project: Project,
    path: Path,
    source: Source,
    wishes: Wishes | None = None,
    *,
    workers: int = 1,
    watcher: Watcher | None = None,
) -> AddSourceResult:
    """Register a copy of a source: list its images and hash them. Nothing is decoded yet.

    Hashes of an interrupted run are kept and used by the next one.

    Args:
        project: the project.
        path: the folder that the source was unpacked into.
        source: what is known of it.
        wishes: what a person says about it.
        workers: how many children hash at the same time.
        watcher: is told the course.

    Raises:
        SourceError: the copy cannot be used, or is one of whole slides.
        ProjectError: another process is changing the project.
    """
    wishes = wishes or Wishes()
    if source.kind == "slides":
        raise SourceError(
            f"{source.name} holds whole slides. Register them with `curatome add {path}`; "
            "`curatome sources check` compares their number."
        )
    listing = list_source(walk(path), source.layout)
    if not listing.entries:
        raise SourceError(f"{path} does not have the layout of {source.name}: no image there fits.")
    _check_scales(listing, wishes)
    check = check_listing(source, listing)
    with project.locked():
        added, unread = _hashed(project, path, source, (listing, wishes), (workers, watcher))
        added, left_out = without_withdrawn(project, added)
        save_added(project, added)
        _forget_hashes(project, source.name)
        duplicates = duplicates_of(added)
        findings = [*check.findings, *unread, *duplicate_findings(added, duplicates)]
        project.store.save_findings(f"sources:{source.name}:add", findings)
        project.store.save_findings(f"sources:{source.name}:build", [])
    return AddSourceResult(
        source.name, len(added.entries), len(duplicates), check, tuple(findings), left_out
    )


def remove_source(project: Project, name: str) -> None:
    """Forget a source; the next build is without it. The user's files stay.

    Raises:
        SourceError: the project has no such source.
    """
    with project.locked():
        if name not in added_names(project):
            raise SourceError(f'the project has no source "{name}".')
        for suffix in (".json", ".parquet"):
            (sources_folder(project) / f"{name}{suffix}").unlink(missing_ok=True)
        for part in ("add", "build"):
            project.store.save_findings(f"sources:{name}:{part}", [])


def duplicate_findings(added: AddedSource, duplicates: dict[int, int]) -> Iterator[Finding]:
    """SRC006 for images that are there twice, SRC008 if their class, case or split differs."""
    name, entries = added.source.name, added.entries
    if not duplicates:
        return
    pairs = [(entries[index].place, entries[kept].place) for index, kept in duplicates.items()]
    yield Finding(
        code="SRC006",
        severity=Severity.NOTE,
        subject=f"source {name}",
        message=f"{name}: {len(pairs):,} images hold the content of another one: "
        f"{_pairs(pairs)}. Each content is standardized once.",
        remedy="Nothing, or take them out of the copy.",
        evidence={"count": len(pairs)},
    )
    differ = [
        (entries[index].place, entries[kept].place)
        for index, kept in duplicates.items()
        if _said(entries[index]) != _said(entries[kept])
    ]
    if differ:
        yield Finding(
            code="SRC008",
            severity=Severity.WARNING,
            subject=f"source {name}",
            message=f"{name}: {len(differ):,} duplicates are of another class, case or split than "
            f"the image that was kept: {_pairs(differ)}.",
            remedy="Decide which is true, and take the others out: the rows of regions.parquet "
            "with duplicate_of name them all.",
            evidence={"count": len(differ)},
        )


def _said(entry: Entry) -> tuple[str | None, ...]:
    return entry.label, entry.case, entry.split


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    shown = [f"{one} = {other}" for one, other in pairs[:_SHOWN]]
    return ", ".join(shown) + (", …" if len(pairs) > _SHOWN else "")


def _check_scales(listing: Listing, wishes: Wishes) -> None:
    said = [("--mpp", wishes.mpp), *((entry.place, entry.mpp) for entry in listing.entries)]
    for where, mpp in said:
        if mpp is not None and not LOWEST_MPP <= mpp <= HIGHEST_MPP:
            raise SourceError(
                f"{where}: mpp must lie between {LOWEST_MPP:g} and {HIGHEST_MPP:g} µm/px. "
                f"Got {mpp:g}."
            )
    if wishes.crop == "tile" and wishes.scale is not None:
        raise SourceError(
            "tiling needs the µm per pixel, which a declared scale does not give. Name --mpp, or "
            "leave --tile out."
        )


def _hashed(
    project: Project,
    root: Path,
    source: Source,
    what: tuple[Listing, Wishes],
    means: tuple[int, Watcher | None],
) -> tuple[AddedSource, list[Finding]]:
    listing, wishes = what
    entries, watcher = listing.entries, means[1] or Silent()
    column = source.layout.image if source.layout.adapter == "parquet" else ""
    chunks = [entries[at : at + _CHUNK] for at in range(0, len(entries), _CHUNK)]
    partial = _partial(project, source.name)
    files = [partial / f"{settings_hash(_stamps(root, chunk))}.json" for chunk in chunks]
    tasks = [
        Task(str(n), "curatome.sources.hashing:hash_images", (root, chunk, column))
        for n, chunk in enumerate(chunks)
        if not files[n].exists()
    ]
    watcher.start("hashing images", sum(len(task.arguments[1]) for task in tasks), "images")
    for outcome in run_tasks(
        tasks, means[0], Limits(), lambda _, counts: watcher.advance(counts.get("images", 0))
    ):
        if outcome.failure is not None:
            raise BuildError(f"{source.name} cannot be hashed: {outcome.failure}.")
        write_file(files[int(outcome.task.key)], json.dumps(outcome.value))
    watcher.finish()
    found = [row for file in files for row in json.loads(file.read_bytes())]
    good = [(entry, *row) for entry, row in zip(entries, found, strict=True) if not row[2]]
    bad = [(entry, row[2]) for entry, row in zip(entries, found, strict=True) if row[2]]
    added = AddedSource(
        source,
        root,
        wishes,
        tuple(row[0] for row in good),
        tuple(row[1] for row in good),
        tuple(row[2] for row in good),
    )
    return added, [unreadable_image(source.name, entry.place, why) for entry, why in bad]


def unreadable_image(source: str, place: str, why: str, code: str = "SRC005") -> Finding:
    """SRC005 or SRC007: an image that gives no region."""
    no_scale = code == "SRC007"
    return Finding(
        code=code,
        severity=Severity.ERROR,
        subject=f"source {source}",
        message=f"{source}: {place} is left out: {why.rstrip('.')}.",
        remedy="Give --mpp or --scale to `curatome sources add`."
        if no_scale
        else "Unpack the download again, or take the image out.",
        key=place,
    )


def _stamps(root: Path, chunk: Sequence[Entry]) -> list[object]:
    stamps: list[object] = []
    for entry in chunk:
        try:
            stat = (root / entry.path).stat()
            stamps.append([entry.place, stat.st_size, stat.st_mtime_ns])
        except OSError:
            stamps.append([entry.place])
    return stamps


def _partial(project: Project, name: str) -> Path:
    """Hashes of a run that has not ended."""
    return sources_folder(project) / f".{name}.hashes"


def _forget_hashes(project: Project, name: str) -> None:
    folder = _partial(project, name)
    for path in folder.glob("*"):
        path.unlink()
    if folder.exists():
        folder.rmdir()
