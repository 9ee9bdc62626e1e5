"""What DICOM's two formats of annotations share: reading, naming, placing and writing.

In an image's own pixels, DICOM has the origin at the corner of the first pixel (PS3.3 C.10.5,
https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.10.5.html); on the glass,
in mm, the origin of an image is the middle of its first pixel (PS3.3 C.8.12.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileDataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from curatome.annotations.formats.base import Frame, Frames
from curatome.durable import new_file
from curatome.errors import AnnotationError

Floats = npt.NDArray[np.float64]

SCHEME = "99CURATOME"
"""Coding scheme of classes that are names and no codes; 99 marks a private one."""
SLIDE_IMAGE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_UNDEFINED = 0xFFFFFFFF  # length of a sequence that has an end mark
_UNSOUND = (ValueError, KeyError, AttributeError)
_PREAMBLE, _META_BYTES = 128, 2048
_LONGEST = 64  # characters of DICOM's LO
_DIMENSIONS = (
    (0x0062000B, 0x0062000A, "Segment Number"),
    (0x0048021F, 0x0048021A, "Row Position In Total Image Pixel Matrix"),
    (0x0048021E, 0x0048021A, "Column Position In Total Image Pixel Matrix"),
)
"""Tag, its functional group and name of what tells the frames of a segmentation apart."""


def is_dicom(head: bytes, sop_class: str) -> bool:
    """Whether a file begins as DICOM of a class does."""
    marked = head[_PREAMBLE : _PREAMBLE + 4] == b"DICM"
    length = len(sop_class) + len(sop_class) % 2
    element = b"UI" + length.to_bytes(2, "little") + sop_class.encode().ljust(length, b"\0")
    return marked and element in head[:_META_BYTES]


def open_dicom(path: Path, sop_classes: Sequence[str], title: str) -> FileDataset:
    """A whole file of some classes.

    Raises:
        AnnotationError: it is no DICOM, is cut off, or is of another class.
        OSError: it cannot be read.
    """
    try:
        dataset = dcmread(path)
        _refuse_cut(dataset, path.stat().st_size)
    except (InvalidDicomError, EOFError, BytesLengthException, *_UNSOUND) as error:
        raise AnnotationError(f"{path.name} is not whole DICOM. Export it again.") from error
    if dataset.get("SOPClassUID") not in sop_classes:
        raise AnnotationError(f"{path.name} is DICOM, but no {title}.")
    return dataset


def _refuse_cut(dataset: FileDataset, size: int) -> None:
    """Raises EOFError if the file ends within an element, which pydicom passes over."""
    if dataset.file_meta.TransferSyntaxUID.is_deflated:
        return
    last = dataset.get_item(max(dataset.keys(), default=0)) if dataset else None
    if not isinstance(last, RawDataElement) or last.length == _UNDEFINED:
        return
    if last.value_tell + last.length != size:
        raise EOFError


def meaning(dataset: Dataset, keyword: str) -> dict[str, str] | None:
    """The first code of a sequence, as value, scheme and meaning; None without one."""
    for item in dataset.get(keyword) or ():
        value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
        return {
            "value": str(value or ""),
            "scheme": str(item.get("CodingSchemeDesignator", "")),
            "meaning": str(item.get("CodeMeaning", "")),
        }
    return None


def code(value: str, scheme: str, name: str) -> list[Dataset]:
    """A sequence of one code."""
    item = Dataset()
    if len(value) > 16:
        item.LongCodeValue = value
    else:
        item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = name[:_LONGEST]
    return [item]


def image_of(dataset: Dataset, frames: Frames) -> tuple[str | None, Frame | None]:
    """The image that a file is about: by the UIDs it refers to, or the only one there is."""
    uids = referenced(dataset)
    for uid in uids:
        frame = frames.find(uid)
        if frame is not None:
            return frame.image, frame
    if frames.only is not None:
        return frames.only.image, frames.only
    return (uids[0] if uids else None), None


def referenced(dataset: Dataset) -> list[str]:
    """UIDs of the images that a file refers to, instances before series."""
    found = [
        str(item.ReferencedSOPInstanceUID)
        for keyword in ("ReferencedImageSequence", "SourceImageSequence")
        for item in dataset.get(keyword) or ()
    ]
    for series in dataset.get("ReferencedSeriesSequence") or ():
        for item in series.get("ReferencedInstanceSequence") or ():
            found.append(str(item.ReferencedSOPInstanceUID))
        found.append(str(series.SeriesInstanceUID))
    return list(dict.fromkeys(found))


def sources(path: Path, dataset: Dataset) -> list[Dataset]:
    """Headers of the images beside a file that it refers to, the largest first."""
    uids = set(referenced(dataset))
    found = []
    for beside in sorted(path.parent.glob("*.dcm")):
        try:
            header = dcmread(beside, stop_before_pixels=True)
        except (InvalidDicomError, EOFError, OSError):
            continue
        named = {str(header.get("SOPInstanceUID")), str(header.get("SeriesInstanceUID"))}
        if header.get("SOPClassUID") == SLIDE_IMAGE and named & uids:
            found.append(header)
    return sorted(found, key=lambda header: -int(header.TotalPixelMatrixColumns))


def on_image(points: Floats, header: Dataset) -> Floats:
    """Points on the glass in pixels of an image, by PS3.3 C.8.12.4 solved for the pixel.

    Args:
        points: (N, 2 or more) x, y in mm.
        header: of the image: its origin, orientation and pixel spacing.
    """
    origin = header.TotalPixelMatrixOriginSequence[0]
    start = [
        float(origin.XOffsetInSlideCoordinateSystem),
        float(origin.YOffsetInSlideCoordinateSystem),
    ]
    along = np.array(header.ImageOrientationSlide, np.float64)
    down, right = spacing(header)
    axes = np.column_stack([along[:2] * right, along[3:5] * down])
    return np.asarray(np.linalg.solve(axes, (points[:, :2] - start).T).T + 0.5)


def spacing(header: Dataset) -> tuple[float, float]:
    """From row to row and from column to column, mm."""
    measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    down, right = measures.PixelSpacing
    return float(down), float(right)


def new_instance(sop_class: str, modality: str, frame: Frame | None) -> Dataset:
    """A file about an image, with all that every DICOM file must have.

    The image's UIDs are made from its identity, as Curatome does not know those of a file.
    """
    now = datetime.now(UTC)
    image = frame.image if frame is not None else "image"
    held = Dataset()
    held.SOPClassUID, held.SOPInstanceUID = sop_class, generate_uid()
    held.Modality, held.Manufacturer, held.ManufacturerModelName = modality, "Curatome", "Curatome"
    held.DeviceSerialNumber, held.SoftwareVersions = "0", "0"
    held.ContentDate, held.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    held.InstanceCreationDate, held.InstanceCreationTime = held.ContentDate, held.ContentTime
    for keyword in ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
                    "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
                    "StudyID"):  # fmt: skip
        setattr(held, keyword, "")
    held.StudyInstanceUID = generate_uid(entropy_srcs=[image, "study"])
    held.SeriesInstanceUID, held.SeriesNumber, held.InstanceNumber = generate_uid(), 1, 1
    held.ContentLabel, held.ContentDescription = "ANNOTATIONS", None
    held.ContentCreatorName = ""
    held.ReferencedSeriesSequence = [_series(image)]
    return held


def _series(image: str) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = generate_uid(entropy_srcs=[image, "series"])
    series.ReferencedInstanceSequence = [reference(image)]
    return series


def reference(image: str) -> Dataset:
    """A reference to an image by a UID that is made from its identity, or is it."""
    item = Dataset()
    item.ReferencedSOPClassUID = SLIDE_IMAGE
    is_uid = "." in image and image.replace(".", "").isdigit()
    item.ReferencedSOPInstanceUID = image if is_uid else generate_uid(entropy_srcs=[image])
    return item


def save(path: Path, held: Dataset) -> None:
    """Write a file whole.

    Raises:
        OSError: the disk is full or the folder is not writable.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = held.SOPClassUID
    meta.MediaStorageSOPInstanceUID = held.SOPInstanceUID
    held.file_meta = meta
    with new_file(path) as stream:
        held.save_as(stream, enforce_file_format=True)


def set_matrix(held: Dataset, frame: Frame, tile: int) -> None:
    """The tiles of level 0, and that they are told apart by segment, row and column."""
    mm = (frame.mpp_y or 1.0) / 1000, (frame.mpp_x or 1.0) / 1000
    held.FrameOfReferenceUID = generate_uid(entropy_srcs=[frame.image, "glass"])
    held.PositionReferenceIndicator = "SLIDE_CORNER"
    held.Rows = held.Columns = tile
    held.SamplesPerPixel, held.PixelRepresentation = 1, 0
    held.PhotometricInterpretation, held.LossyImageCompression = "MONOCHROME2", "00"
    held.TotalPixelMatrixRows, held.TotalPixelMatrixColumns = frame.height, frame.width
    held.TotalPixelMatrixOriginSequence = [_offset(0.0, 0.0)]
    held.ImageOrientationSlide = [0.0, -1.0, 0.0, -1.0, 0.0, 0.0]
    held.DimensionOrganizationType = "TILED_SPARSE"
    measures, shared, organization = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [f"{one:.10g}" for one in mm], "0.001"
    shared.PixelMeasuresSequence = [measures]
    held.SharedFunctionalGroupsSequence = [shared]
    organization.DimensionOrganizationUID = generate_uid()
    held.DimensionOrganizationSequence = [organization]
    held.DimensionIndexSequence = [
        _index(organization.DimensionOrganizationUID, *pointers) for pointers in _DIMENSIONS
    ]


def frame_item(
    segment: int, corner: tuple[int, int], tile: tuple[int, int], frame: Frame
) -> Dataset:
    """Where a tile lies, and which segment it is of.

    Args:
        segment: from 1.
        corner: left and top edge, level-0 px.
        tile: column and row of the tile.
        frame: the image.
    """
    item, content, named = Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [segment, tile[1] + 1, tile[0] + 1]
    named.ReferencedSegmentNumber = segment
    right, down = (frame.mpp_x or 1.0) / 1000, (frame.mpp_y or 1.0) / 1000
    # Rows run along -y of the glass, columns along -x.
    plane = _offset(-corner[1] * down, -corner[0] * right)
    plane.ZOffsetInSlideCoordinateSystem = "0"
    plane.ColumnPositionInTotalImagePixelMatrix = corner[0] + 1
    plane.RowPositionInTotalImagePixelMatrix = corner[1] + 1
    item.FrameContentSequence, item.PlanePositionSlideSequence = [content], [plane]
    item.SegmentIdentificationSequence = [named]
    return item


def _offset(x: float, y: float) -> Dataset:
    item = Dataset()
    item.XOffsetInSlideCoordinateSystem = f"{x:.10g}"
    item.YOffsetInSlideCoordinateSystem = f"{y:.10g}"
    return item


def _index(organization: str, pointer: int, group: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization
    item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, group
    item.DimensionDescriptionLabel = label
    return item
