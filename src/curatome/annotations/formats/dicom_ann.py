"""DICOM Microscopy Bulk Simple Annotations: groups of points, lines, polygons, ellipses, boxes.

PS3.3 C.37.1, https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.37.html.
Coordinates are pixels of the image that is referred to, with the origin at the corner of its
first pixel (`2D`), or mm on the glass (`3D`), for which the image's own DICOM files must lie
beside the annotations. A group's label is the class of its annotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pydicom import Dataset
from pydicom.uid import generate_uid

from curatome.annotations import doubts
from curatome.annotations.formats import dicom_file
from curatome.annotations.formats.base import (
    Carries,
    Doubt,
    Format,
    Frame,
    Frames,
    Loss,
    Options,
    Reading,
)
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    same_image,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.model import ellipse_axes, ellipse_rectangle
from curatome.errors import AnnotationError

Floats = npt.NDArray[np.float64]

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.91.1"
_TITLE = "DICOM Microscopy Bulk Simple Annotations"
_TYPES = {
    "point": "POINT",
    "line": "POLYLINE",
    "polygon": "POLYGON",
    "ellipse": "ELLIPSE",
    "box": "RECTANGLE",
}
_FIXED = {"POINT": 1, "ELLIPSE": 4, "RECTANGLE": 4}
_CATEGORY = ("91723000", "SCT", "Anatomical Structure")
_NAMELESS = "annotation"
_ARBITRARY = ("1", "UCUM", "no units")


class DicomAnnotations:
    """The format."""

    name = "dicom_ann"
    title = _TITLE
    suffixes: tuple[str, ...] = (".dcm",)
    carries = Carries(
        kinds=frozenset(_TYPES),
        holes=False,
        labels="one",
        note="Circles become ellipses. Numbers in the property `measurements` are written, in 32 "
        "bits. An image that has no DICOM UID gets one made from its identity.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        if not dicom_file.is_dicom(head, SOP_CLASS):
            return None
        return f"DICOM of the class {_TITLE}"

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        dataset = dicom_file.open_dicom(path, (SOP_CLASS,), "annotations of microscopy")
        if not dataset.get("AnnotationGroupSequence"):
            raise AnnotationError(f"{path.name} has no groups of annotations. Export it again.")
        image, frame = dicom_file.image_of(dataset, frames)
        groups = [_Group(path, item, dataset) for item in dataset.AnnotationGroupSequence]
        points, found = _placed(path, dataset, groups, (frame, options))
        rows = [
            {**row, "image": image}
            for group, xy in zip(groups, points, strict=True)
            for row in group.rows(xy)
        ]
        kind = dataset.get("AnnotationCoordinateType", "2D")
        return Reading(to_table(rows), f"{_TITLE}, {kind} coordinates", found)

    def write(
        self, table: Any, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del colors
        rows = list(to_rows(table))
        image = same_image(rows, _TITLE)
        frame = frames.find(image) if image is not None else frames.only
        losses: list[Loss] = []
        written: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            parts, lost = _fitted(row, self.carries)
            losses += lost
            if parts:
                losses += column_losses(row, self.carries, _TITLE, ("measurements",))
            for part in parts:
                label = (part["labels"] or [_NAMELESS])[0]
                written.setdefault((label, part["kind"]), []).append(part)
        something(len(written), _TITLE)
        held = dicom_file.new_instance(SOP_CLASS, "ANN", frame or _nameless(image))
        held.ReferencedImageSequence = [dicom_file.reference(image or "image")]
        held.AnnotationCoordinateType, held.PixelOriginInterpretation = "2D", "VOLUME"
        held.AnnotationGroupSequence = [
            _group_item(number, key, parts)
            for number, (key, parts) in enumerate(written.items(), 1)
        ]
        dicom_file.save(path, held)
        return losses


def _nameless(image: str | None) -> Frame | None:
    return None if image is None else Frame(image, image, 0, 0)


class _Group:
    """One group of a file: its points as they stand, and what is said of all of them."""

    def __init__(self, path: Path, item: Dataset, dataset: Dataset) -> None:
        self.where = f"{path.name}, annotation group {item.get('AnnotationGroupNumber', '?')}"
        self.item = item
        self.type = str(item.get("GraphicType", ""))
        count = int(item.get("NumberOfAnnotations", 0))
        flat = (
            dataset.get("AnnotationCoordinateType") == "3D" and "CommonZCoordinateValue" not in item
        )
        self.points = self._coordinates(3 if flat else 2)
        self.starts = self._starts(count, 3 if flat else 2)

    def _coordinates(self, axes: int) -> Floats:
        for keyword, kind in (
            ("DoublePointCoordinatesData", "<f8"),
            ("PointCoordinatesData", "<f4"),
        ):
            data = self.item.get(keyword)
            if data is None:
                continue
            if len(data) % (axes * int(kind[-1])):
                raise AnnotationError(
                    f"{self.where} has a number of coordinates that fits no points."
                )
            return np.frombuffer(data, kind).reshape(-1, axes).astype(np.float64)
        raise AnnotationError(f"{self.where} has no coordinates.")

    def _starts(self, count: int, axes: int) -> npt.NDArray[np.int64]:
        """(count + 1,) where the points of each annotation begin, and the end of the last."""
        if self.type in _FIXED:
            starts = np.arange(count + 1) * _FIXED[self.type]
        elif self.type in ("POLYLINE", "POLYGON"):
            index = np.frombuffer(self.item.get("LongPrimitivePointIndexList", b""), "<u4")
            starts = np.append((index.astype(np.int64) - 1) // axes, len(self.points))
        else:
            raise AnnotationError(f'{self.where} is of an unknown type, "{self.type}".')
        if (
            len(starts) != count + 1
            or starts[-1] != len(self.points)
            or (np.diff(starts) < 1).any()
        ):
            raise AnnotationError(
                f"{self.where} says it has {count:,} annotations, but holds others."
            )
        return starts

    def rows(self, xy: Floats) -> list[Row]:
        """Its annotations, from their points in level-0 px."""
        label = str(self.item.get("AnnotationGroupLabel", "")).strip()
        coded = dicom_file.meaning(self.item, "AnnotationPropertyTypeCodeSequence")
        label = label or (coded or {}).get("meaning", "")
        said = {
            "group": str(self.item.get("AnnotationGroupUID", "")),
            "type": coded,
            "category": dicom_file.meaning(self.item, "AnnotationPropertyCategoryCodeSequence"),
            "generation": str(self.item.get("AnnotationGroupGenerationType", "")),
            "description": str(self.item.get("AnnotationGroupDescription", "")),
        }
        said = {name: value for name, value in said.items() if value}
        found = []
        for number, values in enumerate(_measured(self.item, len(self.starts) - 1)):
            kind, shape = _shape(
                self.type, xy[self.starts[number] : self.starts[number + 1]], self.where
            )
            row = new_row(kind, shape, [label] if label and label != _NAMELESS else [])
            row["properties"] = {"dicom": said} | ({"measurements": values} if values else {})
            found.append(row)
        return found


def _placed(
    path: Path, dataset: Dataset, groups: Sequence[_Group], asked: tuple[Frame | None, Options]
) -> tuple[list[Floats], tuple[Doubt, ...]]:
    """Points of each group in level-0 px, and what is doubtful about them."""
    frame, options = asked
    images = dicom_file.sources(path, dataset)
    if dataset.get("AnnotationCoordinateType") == "3D":
        if not images:
            raise AnnotationError(
                f"{path.name} has mm on the glass. Put the DICOM files of its image beside it."
            )
        return [dicom_file.on_image(group.points, images[0]) for group in groups], ()
    points = [group.points for group in groups]
    width = frame.width if frame is not None else None
    for header in images:
        if (
            str(header.SOPInstanceUID) in dicom_file.referenced(dataset)
            and options.downsample is None
        ):
            factor = (width or int(images[0].TotalPixelMatrixColumns)) / int(
                header.TotalPixelMatrixColumns
            )
            return [xy * factor for xy in points], ()
    if frame is None:
        return [xy * (options.downsample or 1.0) for xy in points], ()
    bounds = [
        np.hstack([np.minimum.reduceat(group.points, group.starts[:-1]),
                   np.maximum.reduceat(group.points, group.starts[:-1])])
        for group in groups if len(group.points)
    ]  # fmt: skip
    every = np.concatenate([np.empty((0, 4)), *bounds])
    found = doubts.coordinate_doubts(every, doubts.Ground.of([frame], [0] * len(every)), options)
    options = doubts.settled(found, options)
    return [doubts.level0(xy, frame, options) for xy in points], found


def _shape(kind: str, xy: Floats, where: str) -> tuple[str, shapely.Geometry]:
    if kind == "POINT":
        return "point", shapely.Point(xy[0])
    if kind == "ELLIPSE":  # both ends of the long axis, then of the short one
        middle, (half, other) = xy.mean(axis=0), (xy[1::2] - xy[::2]) / 2
        axes = (float(np.hypot(*half)), float(np.hypot(*other)))
        angle = float(np.arctan2(half[1], half[0]))
        return "ellipse", ellipse_rectangle((float(middle[0]), float(middle[1])), axes, angle)
    if len(xy) < (2 if kind == "POLYLINE" else 3):
        raise AnnotationError(f"{where} holds a {kind.lower()} of {len(xy)} points.")
    if kind == "POLYLINE":
        return "line", shapely.LineString(xy)
    shape = shapely.Polygon(xy)
    upright = kind == "RECTANGLE" and shape.equals(shapely.box(*shape.bounds))
    return ("box", shapely.box(*shape.bounds)) if upright else ("polygon", shape)


def _measured(item: Dataset, count: int) -> list[dict[str, float]]:
    """What was measured of each annotation, by name and unit."""
    found: list[dict[str, float]] = [{} for _ in range(count)]
    for measure in item.get("MeasurementsSequence") or ():
        name = (dicom_file.meaning(measure, "ConceptNameCodeSequence") or {}).get("meaning", "?")
        unit = (dicom_file.meaning(measure, "MeasurementUnitsCodeSequence") or {}).get("value", "1")
        values = measure.MeasurementValuesSequence[0]
        numbers = np.frombuffer(values.FloatingPointValues, "<f4").tolist()
        index = np.frombuffer(values.get("AnnotationIndexList", b""), "<u4").tolist()
        told = name if unit == "1" else f"{name} {unit}"
        for at, number in zip(index or range(1, count + 1), numbers, strict=False):
            if 0 < at <= count:
                found[at - 1][told] = number
    return found


def _fitted(row: Row, carries: Carries) -> tuple[list[Row], list[Loss]]:
    if row["kind"] == "circle":
        told = f"{_TITLE} has no circles; it became an ellipse."
        return [{**row, "kind": "ellipse"}], [Loss(row["annotation"], "kind", told)]
    parts = shapely.get_parts(row["shape"]) if row["kind"] == "line" else ()
    if len(parts) > 1:
        told = f"{_TITLE} has single lines only; it became {len(parts)}."
        split = [{**row, "shape": part} for part in parts]
        return split, [Loss(row["annotation"], "geometry", told)]
    return fitted(row, carries, _TITLE)


def _corners(kind: str, shape: shapely.Geometry) -> Floats:
    if kind == "ellipse":
        (x, y), (a, b), angle = ellipse_axes(shape)
        along = np.array([np.cos(angle), np.sin(angle)]) * a
        across = np.array([-np.sin(angle), np.cos(angle)]) * b
        ends = (along, across) if a >= b else (across, along)
        return np.asarray(np.array([x, y]) + np.array([-ends[0], ends[0], -ends[1], ends[1]]))
    if kind == "box":
        left, top, right, bottom = shape.bounds
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    points: Floats = shapely.get_coordinates(shape)
    kept: Floats = points[:-1] if kind == "polygon" else points
    return kept


def _group_item(number: int, key: tuple[str, str], rows: Sequence[Row]) -> Dataset:
    label, kind = key
    item = Dataset()
    item.AnnotationGroupNumber, item.AnnotationGroupUID = number, generate_uid()
    item.AnnotationGroupLabel = label[:64]
    item.AnnotationGroupGenerationType = "MANUAL"
    item.AnnotationPropertyCategoryCodeSequence = dicom_file.code(*_CATEGORY)
    item.AnnotationPropertyTypeCodeSequence = dicom_file.code(label[:64], dicom_file.SCHEME, label)
    item.NumberOfAnnotations = len(rows)
    item.AnnotationAppliesToAllOpticalPaths = "YES"
    item.AnnotationAppliesToAllZPlanes = "YES"
    item.GraphicType = _TYPES[kind]
    points = [_corners(kind, row["shape"]) for row in rows]
    item.DoublePointCoordinatesData = np.concatenate(points).astype("<f8").tobytes()
    if kind in ("line", "polygon"):
        starts = np.cumsum([0, *(len(xy) for xy in points[:-1])])
        item.LongPrimitivePointIndexList = (2 * starts + 1).astype("<u4").tobytes()
    measured = [row["properties"].get("measurements") for row in rows]
    names = dict.fromkeys(name for one in measured if isinstance(one, Mapping) for name in one)
    items = [_measure(name, measured) for name in names]
    if items:
        item.MeasurementsSequence = [one for one in items if one is not None]
    return item


def _measure(name: str, measured: Sequence[Any]) -> Dataset | None:
    held = [
        (at, float(one[name]))
        for at, one in enumerate(measured, 1)
        if isinstance(one, Mapping) and isinstance(one.get(name), int | float)
    ]
    if not held:
        return None
    values = Dataset()
    values.FloatingPointValues = np.array([value for _, value in held], "<f4").tobytes()
    if len(held) < len(measured):
        values.AnnotationIndexList = np.array([at for at, _ in held], "<u4").tobytes()
    measure = Dataset()
    measure.ConceptNameCodeSequence = dicom_file.code(name[:64], dicom_file.SCHEME, name)
    measure.MeasurementUnitsCodeSequence = dicom_file.code(*_ARBITRARY)
    measure.MeasurementValuesSequence = [values]
    return measure


FORMAT: Format = DicomAnnotations()
