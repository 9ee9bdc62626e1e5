"""DICOM Segmentation: a class is a segment, and each of its connected pieces an annotation.

PS3.3 A.51, https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_A.51.html.
Binary, fractional (from half of the maximum on) and label map segmentations are read, whether
their tiles cover all of the image or only where something is. Pixels are those of the total pixel
matrix; where it is smaller than the image's level 0, it is a lower level. What is written is
binary, in pixels of level 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydicom import Dataset
from pydicom.uid import generate_uid

from curatome.annotations.formats import dicom_file, raster
from curatome.annotations.formats.base import Carries, Format, Frame, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import Row, new_row, pictured, to_table
from curatome.errors import AnnotationError
from curatome.geometry import rasterize

Pixels = npt.NDArray[Any]

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_TITLE = "DICOM Segmentation"
_CATEGORY = ("91723000", "SCT", "Anatomical Structure")
_NAMELESS = "annotation"
_MOST_PIXELS = 1 << 31


class DicomSegmentation:
    """The format."""

    name = "dicom_seg"
    title = _TITLE
    suffixes: tuple[str, ...] = (".dcm",)
    carries = Carries(
        kinds=frozenset({"polygon"}),
        holes=True,
        labels="one",
        precision=1.0,
        note="Outlines come back along the edges of level-0 pixels; objects of one class that "
        "touch come back as one.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        del path
        known = any(dicom_file.is_dicom(head, one) for one in (SOP_CLASS, LABEL_MAP))
        return "DICOM of the class Segmentation" if known else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        dataset = dicom_file.open_dicom(path, (SOP_CLASS, LABEL_MAP), "segmentation")
        image, frame = dicom_file.image_of(dataset, frames)
        width = int(dataset.get("TotalPixelMatrixColumns", dataset.get("Columns", 0)))
        height = int(dataset.get("TotalPixelMatrixRows", dataset.get("Rows", 0)))
        scale, found = raster.scale_to(frame, (width, height), options)
        every = {int(one.SegmentNumber): one for one in dataset.get("SegmentSequence") or ()}
        segments = {number: one for number, one in every.items() if number}  # 0 is background
        if not segments:
            raise AnnotationError(f"{path.name} has no segments. Export it again.")
        kind = str(dataset.get("SegmentationType", "BINARY"))
        rows = []
        for number, corner, values in _matrices(path, dataset, kind, sorted(segments)):
            for _, shape in raster.objects(values >= _half(dataset, kind), whole=False):
                confidence = _fraction(dataset, kind, values, shape)
                placed = raster.to_level0(raster.moved(shape, corner), scale)
                row = new_row(raster.kind_of(placed), placed, [_label(segments[number])])
                row |= {"image": image, "confidence": confidence}
                row["properties"] = {"dicom": _said(segments[number])}
                rows.append(row)
        return Reading(to_table(rows), f"{_TITLE}, {kind.lower()}", found)

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del colors
        frame, shown, losses = pictured(table, frames, self.carries, _TITLE)
        classes: dict[str, list[Row]] = {}
        for row in shown:
            classes.setdefault((row["labels"] or [_NAMELESS])[0], []).append(row)
        dicom_file.save(path, _segmentation(classes, frame))
        return losses


def _label(segment: Dataset) -> str:
    coded = dicom_file.meaning(segment, "SegmentedPropertyTypeCodeSequence") or {}
    return str(segment.get("SegmentLabel") or coded.get("meaning") or segment.SegmentNumber)


def _said(segment: Dataset) -> dict[str, Any]:
    said = {
        "segment": int(segment.SegmentNumber),
        "type": dicom_file.meaning(segment, "SegmentedPropertyTypeCodeSequence"),
        "category": dicom_file.meaning(segment, "SegmentedPropertyCategoryCodeSequence"),
        "algorithm": str(segment.get("SegmentAlgorithmName", "")),
        "algorithm_type": str(segment.get("SegmentAlgorithmType", "")),
        "tracking": str(segment.get("TrackingUID", "")),
    }
    return {name: value for name, value in said.items() if value}


def _half(dataset: Dataset, kind: str) -> float:
    return int(dataset.MaximumFractionalValue) / 2 if kind == "FRACTIONAL" else 1


def _fraction(dataset: Dataset, kind: str, values: Pixels, shape: Any) -> float | None:
    """How probable an object is on average, where the file says so."""
    if kind != "FRACTIONAL" or dataset.get("SegmentationFractionalType") != "PROBABILITY":
        return None
    left, top, right, bottom = (int(edge) for edge in shape.bounds)
    side = max(right - left, bottom - top)
    inside = rasterize(shape, (left, top), (1.0, 1.0), side)[: bottom - top, : right - left]
    mean = values[top:bottom, left:right][inside].mean()
    return float(mean / int(dataset.MaximumFractionalValue))


def _matrices(
    path: Path, dataset: Dataset, kind: str, segments: Sequence[int]
) -> Iterator[tuple[int, tuple[int, int], Pixels]]:
    """Segment, left and top edge, and values of the part of the image that its tiles span."""
    try:
        pixels = dataset.pixel_array
    # pydicom's words for damaged pixels, missing elements, and compressions it has no decoder for.
    except (ValueError, AttributeError, RuntimeError, NotImplementedError) as error:
        raise AnnotationError(f"{path.name} has pixels that cannot be read: {error}.") from error
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    pixels = pixels.reshape(-1, rows, columns)
    where = _positions(path, dataset, len(pixels), segments)
    for segment in segments:
        mine = np.flatnonzero((where[:, 0] == segment) | (where[:, 0] == 0))
        if not len(mine):
            continue
        corner = where[mine, 1:].min(axis=0)
        width, height = where[mine, 1:].max(axis=0) - corner + (columns, rows)
        if width * height > _MOST_PIXELS:
            raise AnnotationError(f"{path.name}: segment {segment} is too large to be outlined.")
        values = np.zeros((height, width), pixels.dtype)
        for tile, (x, y) in zip(pixels[mine], where[mine, 1:] - corner, strict=True):
            part = values[y : y + rows, x : x + columns]
            np.maximum(part, tile == segment if kind == "LABELMAP" else tile, out=part)
        yield segment, (int(corner[0]), int(corner[1])), values


def _positions(
    path: Path, dataset: Dataset, count: int, segments: Sequence[int]
) -> npt.NDArray[np.int64]:
    """(F, 3) segment (0 for all), left and top edge of every frame."""
    items = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if dataset.get("DimensionOrganizationType") == "TILED_FULL" or not items:
        across = -(-int(dataset.get("TotalPixelMatrixColumns", dataset.Columns)) // dataset.Columns)
        down = -(-int(dataset.get("TotalPixelMatrixRows", dataset.Rows)) // dataset.Rows)
        each = np.arange(count)
        layer, at = np.divmod(each, across * down)
        several = len(segments) > 1 and count == across * down * len(segments)
        segment = np.array(segments)[layer] if several else np.where(count, segments[:1] or [0], 0)
        if dataset.get("SegmentationType") == "LABELMAP":
            segment = np.zeros(count, int)
        place = [at % across * dataset.Columns, at // across * dataset.Rows]
        return np.column_stack([np.broadcast_to(segment, count), *place]).astype(np.int64)
    if len(items) != count:
        raise AnnotationError(f"{path.name} places {len(items):,} frames, but has {count:,}.")
    return np.array([_position(item, dataset) for item in items], np.int64).reshape(-1, 3)


def _position(item: Dataset, dataset: Dataset) -> tuple[int, int, int]:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    named = item.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence")
    segment = int(named[0].ReferencedSegmentNumber) if named else 0
    plane = item.get("PlanePositionSlideSequence")
    if not plane:
        return segment, 0, 0
    left = int(plane[0].ColumnPositionInTotalImagePixelMatrix) - 1
    return segment, left, int(plane[0].RowPositionInTotalImagePixelMatrix) - 1


def _segmentation(classes: Mapping[str, Sequence[Row]], frame: Frame) -> Dataset:
    held = dicom_file.new_instance(SOP_CLASS, "SEG", frame)
    held.ImageType = ["DERIVED", "PRIMARY"]
    held.SourceImageSequence = [dicom_file.reference(frame.image)]
    dicom_file.set_matrix(held, frame, raster.TILE)
    held.BitsAllocated = held.BitsStored = 1
    held.HighBit = 0
    held.SegmentationType, held.SegmentsOverlap = "BINARY", "UNDEFINED"
    held.SegmentSequence = [_segment(number, name) for number, name in enumerate(classes, 1)]
    items, bits = [], []
    for number, rows in enumerate(classes.values(), 1):
        for x, y, pixels in raster.tiles([row["shape"] for row in rows], frame):
            items.append(
                dicom_file.frame_item(number, (x, y), (x // raster.TILE, y // raster.TILE), frame)
            )
            bits.append(np.packbits(pixels, bitorder="little").tobytes())
    if not items:
        raise AnnotationError(f"nothing would be left: no shape covers a pixel of {frame.name}.")
    held.PerFrameFunctionalGroupsSequence, held.NumberOfFrames = items, len(items)
    held.PixelData = b"".join(bits)
    return held


def _segment(number: int, name: str) -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = number, name[:64]
    item.SegmentAlgorithmType = "MANUAL"
    item.SegmentedPropertyCategoryCodeSequence = dicom_file.code(*_CATEGORY)
    item.SegmentedPropertyTypeCodeSequence = dicom_file.code(name[:64], dicom_file.SCHEME, name)
    item.TrackingID, item.TrackingUID = name[:64], generate_uid()
    return item


FORMAT: Format = DicomSegmentation()
