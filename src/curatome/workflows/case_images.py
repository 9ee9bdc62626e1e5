"""Slides and region images of a case: in a project's sources, in its build, in its versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.versions import load_log
from curatome.location import joined
from curatome.project import Project
from curatome.sources import Entry
from curatome.tiles.regions import parts_folder
from curatome.workflows.added import AddedSource, added_names, load_added
from curatome.workflows.region_manifest import regions_path
from curatome.workflows.region_units import without
from curatome.workflows.withdrawn import (
    WithdrawnCase,
    left_out,
    load_withdrawn,
    note_withdrawn,
)

_HASH_DIGITS = 32
_ROWS = 1 << 16
_NAMES = ("case", "said", "place")


def former_slides(project: Project, versions: Path, case: str) -> tuple[str, ...]:
    """Slides of a case that are registered no more, but in the build or a version, sorted."""
    paths = [versions / entry.folder / "slides.parquet" for entry in load_log(versions)]
    found: set[str] = set()
    for path in (project.build / "slides.parquet", *paths):
        if path.exists():
            table = pq.read_table(path, columns=["slide", "case"])
            found.update(table["slide"].filter(pc.equal(table["case"], case)).to_pylist())
    return tuple(sorted(found - {entry.slide for entry in project.store.slides()}))


def images_of_case(project: Project, versions: Path, case: str) -> tuple[str, ...]:
    """The images of a case and every copy of them, each as `source/hash`, sorted.

    Args:
        project: the project.
        versions: the folder of versions.
        case: as a source names it; as `source/case`; or, of an image without a case, as
            `source/path` or `source/hash`.
    """
    contents: set[str] = set()
    for table in _known(project, versions):
        contents.update(table["image"].filter(_called(table, case)).to_pylist())
    if not contents:
        return ()
    wanted = pa.array(contents, pa.string())
    found: set[str] = set()
    for table in _known(project, versions):
        mine = table.filter(pc.is_in(table["image"], wanted))
        found.update(pc.binary_join_element_wise(mine["source"], mine["image"], "/").to_pylist())
    return tuple(sorted(found))


def without_withdrawn(project: Project, added: AddedSource) -> tuple[AddedSource, tuple[str, ...]]:
    """A source without the images of withdrawn cases; the project is locked.

    Returns:
        The source, and what is to be said about it.
    """
    cases, name = load_withdrawn(project), added.source.name
    found: dict[str, WithdrawnCase] = {}
    for entry, image in zip(added.entries, added.images, strict=True):
        case = cases.find(names_of(name, entry), [image])
        if case is not None:
            found[image] = case
    for case in set(found.values()):
        contents = [image for image, one in found.items() if one == case]
        note_withdrawn(project, case.with_marks(contents))
    gone = [index for index, image in enumerate(added.images) if image in found]
    said = left_out([found[added.images[index]] for index in gone], "image")
    return without(added, set(gone)), said


def names_of(source: str, entry: Entry) -> set[str]:
    """What the case of an image may be called: see `images_of_case`."""
    said = set() if entry.case is None else {entry.case, f"{source}/{entry.case}"}
    return said | {f"{source}/{entry.place}"}


def built_places(project: Project) -> Iterator[pa.RecordBatch]:
    """Where every region of the build lies: slide (`source/hash`), shard, offset and length.

    Shards are paths below the project's folder, or URLs. Rows without a shard are left out.
    """
    place = project.shards
    prefix = f"{place.relative_to(project.root)}/" if isinstance(place, Path) else joined(place, "")
    for path in _manifests(project):
        columns = ["source", "image", "shard", "offset", "length"]
        for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=columns):
            rows = batch.filter(pc.is_valid(batch.column("shard")))
            image = pc.binary_join_element_wise(rows.column("source"), rows.column("image"), "/")
            shard = pc.binary_join_element_wise(str(prefix), rows.column("shard"), "")
            yield pa.RecordBatch.from_arrays(
                [image, shard, rows.column("offset"), rows.column("length")],
                ["slide", "shard", "offset", "length"],
            )


def _manifests(project: Project) -> Iterator[Path]:
    yield from sorted(parts_folder(project.build).glob("[!.]*.parquet"))
    if regions_path(project.build).exists():
        yield regions_path(project.build)


def _called(table: pa.Table, case: str) -> pa.ChunkedArray:
    within = pc.binary_join_element_wise(table["source"], case, "/")
    found = pc.equal(table["said"], within)
    for name in _NAMES:
        found = pc.or_(pc.fill_null(found, False), pc.fill_null(pc.equal(table[name], case), False))
    return found


def _known(project: Project, versions: Path) -> Iterator[pa.Table]:
    """Tables of images: source, image, case, said (`source/case`) and place (`source/path`)."""
    for name in added_names(project):
        added = load_added(project, name)
        yield _named(
            pa.table(
                {
                    "source": pa.array([name] * len(added.images), pa.string()),
                    "image": pa.array(added.images, pa.string()),
                    "case": pa.array([entry.case for entry in added.entries], pa.string()),
                    "place": pa.array([entry.place for entry in added.entries], pa.string()),
                }
            )
        )
    columns = ["source", "image", "case", "path", "row"]
    for path in _manifests(project):
        for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=columns):
            table = pa.Table.from_batches([batch])
            row = pc.binary_join_element_wise(
                table["path"], pc.cast(table["row"], "string"), " row "
            )
            place = pc.coalesce(row, table["path"])
            yield _named(table.select(columns[:3]).append_column("place", place))
    for entry in load_log(versions):
        path = versions / entry.folder / "items.parquet"
        columns = ["source", "slide", "case"]
        for batch in pq.ParquetFile(path).iter_batches(_ROWS, columns=columns):
            table = pa.Table.from_batches([batch.filter(pc.is_valid(batch.column("source")))])
            image = pc.utf8_slice_codeunits(table["slide"], -_HASH_DIGITS)
            yield pa.table(
                {
                    "source": table["source"],
                    "image": image,
                    "case": table["case"],
                    "said": table["case"],
                    "place": table["slide"],
                }
            )


def _named(table: pa.Table) -> pa.Table:
    """With `said` and `place` as versions name them."""
    said = pc.binary_join_element_wise(table["source"], table["case"], "/")
    place = pc.binary_join_element_wise(table["source"], table["place"], "/")
    at = table.schema.get_field_index("place")
    return table.set_column(at, "place", place).append_column("said", said)
