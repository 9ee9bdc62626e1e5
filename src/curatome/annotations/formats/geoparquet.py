"""GeoParquet 1.1: all that Curatome says of an annotation, and what other programs say of one.

What Curatome writes are the columns of `tables.ANNOTATIONS` as they are, and the key `geo` of
the file's metadata, so that GeoPandas, QGIS and DuckDB read it. `crs` is null: coordinates are
level-0 px with the origin at the corner, y downward. In files of other programs every column that
is not known goes into `properties`.

https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from curatome.annotations import exhaustive
from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import FARTHEST, Row, new_row, something, to_table
from curatome.annotations.model import KINDS
from curatome.durable import new_file
from curatome.errors import AnnotationError, TableError
from curatome.tables import ANNOTATIONS

_MAGIC = b"PAR1"
_OURS, _REGIONS = b"curatome.table", b"curatome.exhaustive"
_KINDS = {0: "point", 1: "line", 3: "polygon", 4: "points", 5: "line", 6: "multipolygon"}
_LABELS = ("labels", "label", "class", "classification", "category", "type")


class GeoParquet:
    """GeoParquet."""

    name = "geoparquet"
    title = "GeoParquet"
    suffixes = (".parquet", ".geoparquet")
    carries = Carries(
        kinds=frozenset(KINDS),
        holes=True,
        labels="several",
        columns=frozenset(c.name for c in ANNOTATIONS.columns) - {"image", "geometry", "labels"},
        images=True,
        regions=True,
        note="The whole of it, without loss.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        if not head.startswith(_MAGIC) or not path.is_file():
            return None
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowException, OSError):
            return None
        return "it is Parquet with the key geo in its metadata" if b"geo" in metadata else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        del options
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise AnnotationError(f"{path.name} is broken or no Parquet file: {error}.") from error
        metadata = table.schema.metadata or {}
        primary = _primary(metadata, table, path.name)
        shapes = _shapes(table, primary, path.name)
        if metadata.get(_OURS) == ANNOTATIONS.name.encode():
            try:
                ours = ANNOTATIONS.from_columns({c: table.column(c) for c in table.column_names})
            except (TableError, KeyError) as error:
                raise AnnotationError(f"{path.name}: {error}") from error
            regions = _regions(metadata, path.name)
            return Reading(ours, "GeoParquet, written by Curatome", regions=regions)
        rows = [
            _foreign(values, shape, frames)
            for values, shape in zip(table.drop([primary]).to_pylist(), shapes, strict=True)
        ]
        return Reading(to_table(rows), f"GeoParquet, shapes in {primary}")

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del colors
        something(len(table) + len(frames.regions), self.title)
        shapes = shapely.from_wkb(np.array(table.column("geometry").to_pylist(), dtype=object))
        regions = [{**exhaustive.plain(one), "image": one["image"]} for one in frames.regions]
        metadata = {
            **ANNOTATIONS.schema.metadata,
            b"geo": json.dumps(_geo(shapes)).encode(),
            **({_REGIONS: json.dumps(regions).encode()} if regions else {}),
        }
        with new_file(path) as stream:
            pq.write_table(table.replace_schema_metadata(metadata), stream, compression="zstd")
        return []


def _regions(metadata: Mapping[bytes, bytes], file: str) -> tuple[exhaustive.Region, ...]:
    try:
        given = json.loads(metadata.get(_REGIONS, b"[]"))
        named = [(one, one["image"]) for one in given]
    except (ValueError, TypeError, KeyError) as error:
        raise AnnotationError(f"{file}: its exhaustive regions are broken: {error}.") from error
    return tuple(exhaustive.restored(one, image, file) for one, image in named)


def _geo(shapes: Any) -> dict[str, Any]:
    types = sorted({shape.geom_type for shape in shapes if shape is not None})
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": types, "crs": None}
    bounds = shapely.total_bounds(shapes)
    if np.isfinite(bounds).all():
        column["bbox"] = bounds.tolist()
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _primary(metadata: Mapping[bytes, bytes], table: pa.Table, file: str) -> str:
    """Name of the column of shapes."""
    try:
        geo = json.loads(metadata[b"geo"])
        name = str(geo["primary_column"])
        encoding = geo["columns"][name]["encoding"]
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(
            f"{file} is Parquet, but its metadata does not say which column holds shapes (geo). "
            "Write it with GeoPandas or QGIS."
        ) from error
    if encoding != "WKB" or name not in table.column_names:
        raise AnnotationError(
            f"{file}: shapes in {name} as {encoding} are not known. Write them as WKB."
        )
    return name


def _shapes(table: pa.Table, primary: str, file: str) -> list[shapely.Geometry | None]:
    try:
        blobs = np.array(table.column(primary).to_pylist(), dtype=object)
        shapes = shapely.from_wkb(blobs)
    except (shapely.GEOSException, TypeError) as error:
        raise AnnotationError(f"{file}: a value of {primary} is no WKB: {error}.") from error
    points, rows = shapely.get_coordinates(shapes, return_index=True)
    wrong = ~(np.abs(points) <= FARTHEST).all(axis=1)
    if wrong.any():
        raise AnnotationError(
            f"{file} row {rows[wrong][0] + 1}: a coordinate is no number, or beyond any slide."
        )
    return list(shapes)


def _foreign(values: dict[str, Any], shape: shapely.Geometry | None, frames: Frames) -> Row:
    """A row of a file that another program wrote."""
    kind = "whole" if shape is None else _KINDS.get(shapely.get_type_id(shape))
    row = new_row(kind or "multipolygon", shape)
    for name in _LABELS:
        if isinstance(values.get(name), str):
            row["labels"] = [values.pop(name)]
            break
    image = values.pop("image", None)
    frame = frames.only if image is None else frames.find(str(image))
    row["image"] = frame.image if frame is not None else image
    row["properties"] = json.loads(json.dumps(values, default=str))
    return row


FORMAT = GeoParquet()
