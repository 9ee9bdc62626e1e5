"""Whether a copy is what it is said to be: counts against the published ones, before any pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from curatome.errors import SourceError
from curatome.findings import Finding, Severity
from curatome.sources.adapters import list_source
from curatome.sources.listing import Listing, SourceFiles
from curatome.sources.model import Source

_EXAMPLES = 5


@dataclass(frozen=True)
class CountRow:
    """One count of a copy.

    Attributes:
        kind: what is counted: everything, or one class, split or part.
        name: which one; empty for everything.
        found: images there.
        published: images there should be, or None where nobody says.
    """

    kind: Literal["total", "class", "split", "part"]
    name: str
    found: int
    published: int | None

    @property
    def difference(self) -> int:
        """How many more there are than published; 0 if nothing is published."""
        return 0 if self.published is None else self.found - self.published


@dataclass(frozen=True)
class SourceCheck:
    """What a dry run saw.

    Attributes:
        source: name of the source.
        rows: the counts.
        findings: what differs from what is published.
    """

    source: str
    rows: tuple[CountRow, ...]
    findings: tuple[Finding, ...]


def recognize(files: SourceFiles, sources: Iterable[Source]) -> tuple[Source, Listing]:
    """The source that a copy is of: the one whose layout knows most of its images.

    Raises:
        SourceError: none knows any, or several know as many.
    """
    found: list[tuple[int, Source, Listing]] = []
    for source in sources:
        try:
            listing = list_source(files, source.layout)
        except SourceError:
            continue  # a file of that name, but of another dataset
        if listing.entries:
            found.append((len(listing.entries), source, listing))
    if not found:
        raise SourceError(
            f"{files.root} has the layout of no registered source. Name one with --source, or "
            "describe the layout with --adapter or a TOML file of your own."
        )
    most = max(count for count, *_ in found)
    best = [(source, listing) for count, source, listing in found if count == most]
    if len(best) > 1:
        names = " or ".join(source.name for source, _ in best)
        raise SourceError(f"{files.root} could be {names}. Name one with --source.")
    return best[0]


def check_listing(source: Source, listing: Listing) -> SourceCheck:
    """Counts of a copy against the published ones, and findings where they differ."""
    rows = tuple(_rows(source, listing))
    return SourceCheck(source.name, rows, tuple(_findings(source, rows, listing)))


def _rows(source: Source, listing: Listing) -> Iterator[CountRow]:
    counts, entries = source.counts, listing.entries
    yield CountRow("total", "", len(entries), counts.total)
    classes = Counter(entry.label for entry in entries if entry.label is not None)
    expected: dict[str, int | None] = dict.fromkeys(source.class_names)
    yield from _counted("class", classes, {**expected, **counts.classes})
    splits = Counter(entry.split for entry in entries if entry.split is not None)
    yield from _counted("split", splits, counts.splits)
    parts = Counter(entry.part for entry in entries if entry.part is not None)
    yield from _counted("part", parts, counts.parts)


def _counted(
    kind: Literal["class", "split", "part"],
    found: Counter[str],
    published: Mapping[str, int | None],
) -> Iterator[CountRow]:
    for name in dict.fromkeys([*published, *sorted(found)]):
        yield CountRow(kind, name, found[name], published.get(name))


def _findings(source: Source, rows: Iterable[CountRow], listing: Listing) -> Iterator[Finding]:
    for row in rows:
        named = set(source.class_names) if row.kind == "class" else set()
        if row.difference or (row.found == 0 and row.name in named):
            yield _differs(source, row)
        elif named and row.name not in named:
            yield _unknown_class(source, row)
    if listing.missing:
        yield _files(source, "SRC003", listing.missing)
    if listing.surplus:
        yield _files(source, "SRC004", listing.surplus)


def _differs(source: Source, row: CountRow) -> Finding:
    what = f"{row.kind} {row.name}" if row.name else "all"
    if row.published is None:
        message = f"{source.name}, {what}: no image is there."
    else:
        message = (
            f"{source.name}, {what}: {row.found:,} images are there, {row.published:,} are "
            f"published ({row.difference:+,})."
        )
    return Finding(
        code="SRC001",
        severity=Severity.WARNING,
        subject=f"source {source.name}",
        message=message,
        remedy="Unpack the download again and compare with the authors' page; "
        f"`curatome sources show {source.name}` cites where the counts stand.",
        evidence={"kind": row.kind, "found": row.found, "published": row.published},
        key=what,
    )


def _unknown_class(source: Source, row: CountRow) -> Finding:
    return Finding(
        code="SRC002",
        severity=Severity.WARNING,
        subject=f"source {source.name}",
        message=f"{source.name}: {row.found:,} images are of a class that is not published, "
        f'"{row.name}".',
        remedy="Take them out, or describe your variant of the dataset in a TOML file of its own.",
        key=row.name,
    )


def _files(source: Source, code: str, names: tuple[str, ...]) -> Finding:
    shown = ", ".join(names[:_EXAMPLES]) + (", …" if len(names) > _EXAMPLES else "")
    if code == "SRC003":
        what, remedy = "the listing names are not there", "Unpack the download again."
    else:
        what, remedy = "are there that the layout does not know", "Take them out if they are yours."
    return Finding(
        code=code,
        severity=Severity.WARNING,
        subject=f"source {source.name}",
        message=f"{source.name}: {len(names):,} image files {what}: {shown}.",
        remedy=remedy,
        evidence={"files": list(names[:100]), "count": len(names)},
    )
