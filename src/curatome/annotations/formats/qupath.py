"""QuPath GeoJSON: objects of one image, in px of level 0 from its top-left corner.

https://qupath.readthedocs.io/en/stable/docs/advanced/exporting_annotations.html and QuPath's
`PathObjectTypeAdapters`. Vertices lie on corners of pixels: the first pixel is (0, 0) to (1, 1).
A file is a FeatureCollection, an array of features, one feature, one geometry, or a feature per
line; plain or gzip. A class such as `Tumor: Positive` is the labels `Tumor` and `Positive`.

All members of a feature's `properties` that are no column stay in the column `properties`, as
they were spelled; so do `plane` and, where it is not a UUID, nothing of an id is lost (`foreign`).
Members of the feature itself that QuPath does not write are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import shapely

from curatome.annotations import exhaustive
from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import geojson, rows
from curatome.annotations.formats.base import Carries, Frames, Loss, Options, Reading
from curatome.annotations.formats.qupath_read import read_file
from curatome.annotations.masks import mask_outline
from curatome.annotations.model import outline
from curatome.durable import new_file
from curatome.errors import AnnotationError

_BATCH = 10_000
_MARKS = (b'"Feature', b'"nucleusGeometry"', b'"PathAnnotationObject"')
_QUPATH = (b'"objectType"', b'"isLocked"', b'"measurements"', b'"classification"', b'"Path')


class QuPath:
    """QuPath's own exchange format, and GeoJSON of other tools that is like it."""

    name = "qupath"
    title = "QuPath GeoJSON"
    suffixes = (".geojson", ".json", ".geojson.gz")
    carries = Carries(
        kinds=frozenset(
            {"point", "points", "line", "box", "circle", "ellipse", "polygon", "multipolygon"}
        ),
        holes=True,
        labels="several",
        columns=rows.KEPT | {"nucleus", "properties"},
        regions=True,
        note="What QuPath does not know of is in the member `curatome` of each object, which "
        "QuPath drops when it exports again. Turned ellipses and masks become polygons.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """By GeoJSON's features or geometries at its beginning."""
        del path
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
            return None
        if any(mark in head for mark in _MARKS):
            own = any(mark in head for mark in _QUPATH)
            return "features of GeoJSON" + (" with QuPath's properties" if own else "")
        if b'"coordinates"' in head and b'"type"' in head:
            return "a geometry of GeoJSON"
        return None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """Every object of the file.

        Raises:
            AnnotationError: it is not sound GeoJSON; names line or feature.
        """
        del options
        return read_file(path, frames.only.image if frames.only else None)

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """A FeatureCollection, one feature per line.

        Raises:
            AnnotationError: the annotations are of several images, which QuPath keeps apart.
            OSError: the disk is full or the folder is not writable.
        """
        images = table["image"].unique()
        if len(images) > 1:
            raise AnnotationError(
                f"a QuPath file holds one image, not {len(images)}. Write one file for each."
            )
        losses: list[Loss] = []
        with new_file(path) as stream:
            stream.write(b'{"type":"FeatureCollection","features":[')
            between = b"\n"
            regions = (_region(one) for one in frames.regions if one["geometry"] is not None)
            for feature in chain(_features(table, colors, losses), regions):
                stream.write(between + feature)
                between = b",\n"
            stream.write(b"\n]}\n")
        return losses


FORMAT = QuPath()


def _features(table: pa.Table, colors: Mapping[str, str], losses: list[Loss]) -> Iterator[bytes]:
    for batch in table.to_batches(max_chunksize=_BATCH):
        for row in batch.to_pylist():
            found = _geometry(row, losses)
            if found is None:
                continue
            geometry, kept = found
            feature = {"type": "Feature", "id": row["annotation"], "geometry": geometry}
            if row["nucleus"] is not None:
                feature["nucleusGeometry"] = shapely.geometry.mapping(
                    shapely.from_wkb(row["nucleus"])
                )
            feature["properties"] = _properties(row, kept, colors, feature)
            yield msgspec.json.encode(feature)


def _region(region: Region) -> bytes:
    """An exhaustively annotated region as a locked object that says what it is."""
    shape = outline(region["kind"], shapely.from_wkb(region["geometry"]))
    properties = {
        "objectType": "annotation",
        "name": f"All of {', '.join(region['classes'])} is annotated here",
        "isLocked": True,
        rows.OURS: {exhaustive.MEMBER: exhaustive.plain(region)},
    }
    feature = {
        "type": "Feature",
        "id": region["region"],
        "geometry": shapely.geometry.mapping(shape),
    }
    return msgspec.json.encode(feature | {"properties": properties})


def _geometry(row: dict[str, Any], losses: list[Loss]) -> tuple[dict[str, Any], str | None] | None:
    """The geometry's member, and the kind if it does not tell."""
    kind, lost = row["kind"], None
    if row["geometry"] is None:
        losses.append(Loss(row["annotation"], "labels", "QuPath objects have a shape; left out"))
        return None
    stored = shapely.from_wkb(row["geometry"])
    drawn, extra = outline(kind, stored), {}
    if kind in ("circle", "ellipse") and geojson.is_upright(stored):
        drawn, extra = geojson.ellipse_ring(stored), {"isEllipse": True}
        width, height = stored.bounds[2] - stored.bounds[0], stored.bounds[3] - stored.bounds[1]
        told = "circle" if width == height else "ellipse"
    elif kind in ("circle", "ellipse"):
        lost, told = "QuPath's ellipses are not turned; written as a polygon of 64 corners", kind
    elif kind == "mask":
        drawn, told = mask_outline(row["mask"], stored), kind
        lost = "QuPath has no masks; written as the outline of its pixels"
    else:
        told = geojson.kind_of(drawn)
    if lost:
        losses.append(Loss(row["annotation"], "geometry", lost))
    return {**shapely.geometry.mapping(drawn), **extra}, None if told == kind else kind


def _properties(
    row: dict[str, Any],
    kind: str | None,
    colors: Mapping[str, str],
    feature: dict[str, Any],
) -> dict[str, Any]:
    raws = msgspec.json.decode(row["properties"], type=dict[str, msgspec.Raw])
    if "plane" in raws:
        feature["geometry"]["plane"] = raws.pop("plane")
    usual = "cell" if row["nucleus"] is not None else "annotation"
    properties: dict[str, Any] = {"objectType": raws.pop("objectType", usual)}
    if row["name"] is not None:
        properties["name"] = row["name"]
    if row["labels"]:
        properties["classification"] = _classification(row["labels"], colors)
    properties.update(raws)
    ours = rows.kept(row, ("annotation", "name")) | ({"kind": kind} if kind else {})
    return properties | ({rows.OURS: ours} if ours else {})


def _classification(labels: list[str], colors: Mapping[str, str]) -> dict[str, Any]:
    joined = ": ".join(labels)
    # "A: B" would come back as two labels; "names" are taken as they are.
    found: dict[str, Any] = {"name": joined} if joined.split(": ") == labels else {"names": labels}
    color = colors.get(joined, colors.get(labels[0]))
    if color is not None:
        found["color"] = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return found
