"""Whole-slide DICOM files with known frames, written by pydicom."""

from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
JPEG, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91"
NATIVE = "1.2.840.10008.1.2.1"


def jpeg(tile):
    """YCbCr 4:2:0, as scanners write it."""
    return simplejpeg.encode_jpeg(tile, quality=85, colorspace="RGB", colorsubsampling="420")


def jpeg_rgb(tile):
    """The colors as they are, and no segment that says so."""
    data = imagecodecs.jpeg8_encode(tile, 90, colorspace="RGB", outcolorspace="RGB")
    at = data.find(b"\xff\xee\x00\x0eAdobe")
    return data if at < 0 else data[:at] + data[at + 16 :]


def jpeg_2000(tile, **options):
    return imagecodecs.jpeg2k_encode(
        tile, **{"codecformat": "j2k", "reversible": False, "level": 40, "mct": True, **options}
    )


@dataclass(frozen=True)
class Written:
    """How a DICOM file is written.

    Attributes:
        encode: a tile as a frame.
        syntax: transfer syntax UID.
        color: photometric interpretation.
        tile: edge of a frame, px.
        sparse: frames say where they lie, in an order that is not theirs.
        table: `basic`, `extended` or `none`.
        fragments: into how many items each frame is cut.
        leave_out: numbers of tiles, row by row, that are not stored (sparse only).
        role: third value of the image type.
        also: further attributes.
    """

    encode: object = jpeg
    syntax: str = JPEG
    color: str = "YBR_FULL_422"
    tile: int = 256
    sparse: bool = False
    table: str = "basic"
    fragments: int = 1
    leave_out: tuple = ()
    role: str = "VOLUME"
    also: dict = field(default_factory=dict)


def tiles_of(pixels, side):
    """Tiles row by row with their places, cut ones filled up with their last pixels."""
    for y in range(0, pixels.shape[0], side):
        for x in range(0, pixels.shape[1], side):
            tile = pixels[y : y + side, x : x + side]
            short = side - tile.shape[0], side - tile.shape[1]
            full = np.pad(tile, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
            yield (x, y), np.ascontiguousarray(full)


def write_dicom(path: Path, pixels, how: Written = Written(), uid=None, part=slice(None)):
    """One instance, or a part of its frames as one file of a concatenation."""
    stored = [
        (place, how.encode(tile))
        for number, (place, tile) in enumerate(tiles_of(pixels, how.tile))
        if number not in how.leave_out
    ]
    if how.sparse:
        stored = stored[1::2] + stored[::2]
    first, stored = len(stored[: part.start or 0]), stored[part]
    data = _header(pixels, how, f"1.2.3.{uid or pixels.shape[1]}.{first}")
    data.NumberOfFrames = len(stored)
    if part != slice(None):
        data.ConcatenationUID = data.SOPInstanceUIDOfConcatenationSource = f"1.2.4.{uid or 1}"
        data.ConcatenationFrameOffsetNumber = first
        data.InConcatenationNumber = 1 if first == 0 else 2
        data.InConcatenationTotalNumber = 2
    if how.sparse:
        data.PerFrameFunctionalGroupsSequence = [_group(*place) for place, _ in stored]
    frames = [frame for _, frame in stored]
    if how.syntax == NATIVE:
        data.PixelData = b"".join(frames)
    elif how.table == "extended":
        data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = (
            encapsulate_extended(frames)
        )
    else:
        has_table = how.table == "basic"
        data.PixelData = encapsulate(frames, fragments_per_frame=how.fragments, has_bot=has_table)
    data["PixelData"].VR = "OB"
    for name, value in how.also.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def _header(pixels, how, uid):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = how.syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = WHOLE_SLIDE
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid
    data.SeriesInstanceUID = "1.2.9.1"
    data.ImageType = ["DERIVED", "PRIMARY", how.role, "NONE"]
    data.DimensionOrganizationType = "TILED_SPARSE" if how.sparse else "TILED_FULL"
    data.Manufacturer, data.ManufacturerModelName, data.DeviceSerialNumber = "Maker", "M 1", "77"
    data.Rows = data.Columns = how.tile
    data.TotalPixelMatrixRows, data.TotalPixelMatrixColumns = pixels.shape[:2]
    data.SamplesPerPixel, data.PlanarConfiguration, data.PixelRepresentation = 3, 0, 0
    data.PhotometricInterpretation = how.color
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    measures, shared, path = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [0.0005, 0.00025]
    shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    path.OpticalPathIdentifier, path.ObjectiveLensPower, path.ICCProfile = "1", 40.0, b"not icc!"
    data.OpticalPathSequence = [path]
    return data


def _group(x, y):
    position, group = Dataset(), Dataset()
    position.XOffsetInSlideCoordinateSystem = position.YOffsetInSlideCoordinateSystem = "1.5"
    position.ColumnPositionInTotalImagePixelMatrix = x + 1
    position.RowPositionInTotalImagePixelMatrix = y + 1
    group.PlanePositionSlideSequence = [position]
    return group
