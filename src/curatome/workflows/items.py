"""All that a project's dataset consists of, as rows of `tables.ITEMS`: tiles, regions, cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome.dataset.labels import Shapes, labels_in, reference_of, shapes_of
from curatome.errors import VersionError
from curatome.location import joined
from curatome.project import Project
from curatome.tables import ITEMS
from curatome.tiles.shards import shards_of
from curatome.tiles.state import reading
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.manifest import manifest_path
from curatome.workflows.region_manifest import regions_path

_ROWS = 1 << 16
_LISTS = ITEMS.schema.field("labels").type
_OF_SLIDE = ("case", "site", "scanner", "stain")


@dataclass(frozen=True, eq=False)
class Known:
    """What is known about slides and annotations when items are gathered.

    Attributes:
        slides: case, site, scanner and stain of each slide.
        shapes: shapes and labels of each image.
        labels: labels of each annotation by its id, for cells that are annotations.
        split: of each case; items of other cases have none.
    """

    slides: Mapping[str, Mapping[str, Any]]
    shapes: Mapping[str, tuple[Shapes, list[list[str]]]]
    labels: Mapping[str, list[str]]
    split: Mapping[str, str]


def gather(project: Project, split: Mapping[str, str] | None = None) -> Known:
    """Read what items need to know.

    Args:
        project: the project.
        split: of each case.
    """
    slides = {
        entry.slide: {
            "case": entry.case,
            "scanner": entry.scanner,
            **{name: entry.declared.get(name) for name in ("site", "stain")},
        }
        for entry in project.store.slides()
    }
    with annotation_store(project) as store:
        table = reference_of(store.current())
    shapes = {}
    for image in pc.unique(table["image"]).to_pylist():
        shapes[image] = shapes_of(table.filter(pc.equal(table["image"], image)))
    names = table["annotation"].to_pylist()
    labels = dict(zip(names, table["labels"].to_pylist(), strict=True))
    return Known(slides, shapes, labels, split or {})


def _manifests(project: Project) -> tuple[list[Path], list[Path]]:
    """Manifests of the build, and of cells, that are there."""
    built = [path(project.build) for path in (manifest_path, regions_path)]
    cells = sorted((project.root / "cells").glob("*/cells.parquet"))
    return [path for path in built if path.exists()], cells


def items_in(project: Project) -> int:
    """How many items there are, duplicates of regions included."""
    built, cells = _manifests(project)
    found = 0
    for path in (*built, *cells):
        with reading(path):
            found += pq.ParquetFile(path).metadata.num_rows
    return found


def item_batches(
    project: Project, known: Known, *, published: bool = False
) -> Iterator[pa.RecordBatch]:
    """All items: tiles by slide, then regions by source, then cells by folder.

    Args:
        project: the project.
        known: about slides and annotations.
        published: regions of public sources as their authors give them: by the names of their
            files, copies among them, and in the authors' splits as long as there are no others.

    Raises:
        VersionError: nothing was built yet.
        BuildError: a manifest is damaged.
    """
    built, cells = _manifests(project)
    if not built and not cells:
        raise VersionError("nothing was built yet. Run `curatome build` first.")
    if manifest_path(project.build) in built:
        yield from _tiles(project, known)
    if regions_path(project.build) in built:
        yield from _published(project, known) if published else _regions(project, known)
    for path in cells:
        yield from _cells(project, path, known)


def _parts(path: Path) -> Iterator[pa.Table]:
    with reading(path):
        file = pq.ParquetFile(path)
    for batch in file.iter_batches(_ROWS):
        yield pa.Table.from_batches([batch])


def _tiles(project: Project, known: Known) -> Iterator[pa.RecordBatch]:
    prefix = _shard_prefix(project, manifest_path(project.build))
    for part in _parts(manifest_path(project.build)):
        columns = _of_slides(part["slide"].to_pylist(), known)
        columns |= {
            "item": part["tile_id"],
            "kind": ["tile"] * len(part),
            "labels": _labels_of_tiles(part, known),
        }
        for name in ("scale", "x", "y", "width", "height", "side_px", "mpp_x", "mpp_y"):
            columns[name] = part[name]
        yield from _batch(part, columns, prefix, known)


def _regions(project: Project, known: Known) -> Iterator[pa.RecordBatch]:
    """Regions of public sources; an image whose case nobody says is a case of its own."""
    prefix = _shard_prefix(project, regions_path(project.build))
    for part in _parts(regions_path(project.build)):
        table = part.filter(pc.is_null(part["duplicate_of"]))
        image = pc.binary_join_element_wise(table["source"], table["image"], "/")
        columns = _of_regions(table) | {"item": table["region"], "slide": image}
        columns["case"] = pc.coalesce(_said_case(table), image)
        yield from _batch(table, columns, prefix, known)


def _published(project: Project, known: Known) -> Iterator[pa.RecordBatch]:
    """Regions by the names of their files, and copies, which have the pixels of what was kept."""
    path = regions_path(project.build)
    prefix, hashes = _shard_prefix(project, path), _hashes_of_copies(path)
    for table in _parts(path):
        image = pc.binary_join_element_wise(table["source"], table["image"], "/")
        names = _names(table)
        copy = pc.is_valid(table["duplicate_of"])
        case = pc.coalesce(_said_case(table), pc.if_else(copy, pa.array(names), image))
        at = table.schema.get_field_index("hash")
        keys = zip(*(table[n].to_pylist() for n in _CONTENT), strict=True)
        content = [
            own or hashes.get(key) for own, key in zip(table["hash"].to_pylist(), keys, strict=True)
        ]
        columns = _of_regions(table) | {"item": _items(table, names), "slide": names, "case": case}
        columns["split"] = table["split"]  # of its authors, as long as there is no other
        yield from _batch(
            table.set_column(at, "hash", pa.array(content, pa.string())), columns, prefix, known
        )


_CONTENT = ("source", "image", "x", "y")
"""What tells which pixels a region has."""


def _hashes_of_copies(path: Path) -> dict[tuple[Any, ...], str]:
    """Hashes of the regions of which there are copies, by `_CONTENT`."""
    columns = [*_CONTENT, "hash", "duplicate_of"]
    with reading(path):
        copies = pq.read_table(path, columns=columns, filters=pc.field("duplicate_of").is_valid())
        kept = pq.read_table(
            path,
            columns=columns,
            filters=pc.field("image").isin(pc.unique(copies["image"]))
            & pc.field("duplicate_of").is_null(),
        )
    return dict(
        zip(
            zip(*(kept[n].to_pylist() for n in _CONTENT), strict=True),
            kept["hash"].to_pylist(),
            strict=True,
        )
    )


def _names(table: pa.Table) -> list[str]:
    """The file of each region below its source, with the row where a file holds several."""
    rows = zip(*(table[n].to_pylist() for n in ("source", "path", "row")), strict=True)
    return [f"{source}/{path}" + ("" if row is None else f":{row}") for source, path, row in rows]


def _items(table: pa.Table, names: list[str]) -> list[str]:
    """Names of regions: those of their images, with the place where there are several."""
    many = Counter(names)
    places = zip(names, *(table[n].to_pylist() for n in ("x", "y")), strict=True)
    return [name if many[name] == 1 else f"{name} at {x:.0f}, {y:.0f}" for name, x, y in places]


def _said_case(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["source"], table["case"], "/")


def _of_regions(table: pa.Table) -> dict[str, Any]:
    """What is said of regions, whoever asks."""
    classes = pc.split_pattern(pc.fill_null(table["class"], ""), ";")
    return {
        "kind": ["region"] * len(table),
        "source": table["source"],
        "scale": table["scale"],
        "labels": [[one.strip() for one in row if one.strip()] for row in classes.to_pylist()],
        "x": table["x"],
        "y": table["y"],
        "width": table["side"],
        "height": table["side"],
        "side_px": table["side_px"],
        "mpp_x": _region_mpp(table),
        "mpp_y": _region_mpp(table),
    }


def _region_mpp(table: pa.Table) -> pa.ChunkedArray:
    return pc.divide(table["side_um"], pc.cast(table["side_px"], pa.float64()))


def _cells(project: Project, path: Path, known: Known) -> Iterator[pa.RecordBatch]:
    prefix = f"{path.parent.relative_to(project.root)}/"
    for part in _parts(path):
        slides = part["slide"].to_pylist()
        columns = _of_slides(slides, known)
        cells = part["cell"].to_pylist()
        columns |= {
            "item": [f"{path.parent.name}/{s}/{c}" for s, c in zip(slides, cells, strict=True)],
            "kind": ["cell"] * len(part),
            "labels": [known.labels.get(one, []) for one in cells],
            "x": part["left"],
            "y": part["top"],
        }
        for name in ("width", "height", "side_px", "mpp_x", "mpp_y"):
            columns[name] = part[name]
        yield from _batch(part, columns, prefix, known)


def _shard_prefix(project: Project, manifest: Path) -> str:
    """What makes the path of a shard one of the project's, or a URL."""
    place = shards_of(manifest)
    if isinstance(place, Path):
        return f"{project.build.relative_to(project.root)}/"
    return str(joined(place, ""))


def _batch(
    part: pa.Table, columns: dict[str, Any], prefix: str, known: Known
) -> Iterator[pa.RecordBatch]:
    """Rows with shard, hash and split, as one batch; splits.csv goes before other splits."""
    shard = part["shard"].to_pylist()
    columns["shard"] = [None if one is None else prefix + one for one in shard]
    for name in ("offset", "length", "hash"):
        columns[name] = part[name]
    case = columns["case"]
    names = case if isinstance(case, list) else case.to_pylist()
    if known.split or "split" not in columns:
        columns["split"] = [known.split.get(one) for one in names]
    whole = {name: pa.nulls(len(part)) for name in ITEMS.schema.names} | columns
    yield from ITEMS.from_columns(
        {
            name: (value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value)
            for name, value in whole.items()
        }
    ).to_batches()


def _of_slides(slides: list[str], known: Known) -> dict[str, Any]:
    found: dict[str, Any] = {"slide": slides}
    for name in _OF_SLIDE:
        found[name] = [known.slides.get(slide, {}).get(name) for slide in slides]
    return found


def _labels_of_tiles(part: pa.Table, known: Known) -> list[list[str]]:
    slides = np.array(part["slide"].to_pylist(), object)
    left, top, width, height = (part[n].to_numpy() for n in ("x", "y", "width", "height"))
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    found: list[list[str]] = [[] for _ in slides]
    for slide in set(slides) & set(known.shapes):
        rows = np.flatnonzero(slides == slide)
        for row, labels in zip(rows, labels_in(boxes[rows], *known.shapes[slide]), strict=True):
            found[row] = labels
    return found
