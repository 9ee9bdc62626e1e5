"""Write DICOM whole-slide series from a callback, with memory bounded by strips.

One instance per level (VL Whole Slide Microscopy Image, TILED_FULL, JPEG baseline), one for the
label and one for the overview, all of one series (DICOM PS3.3 A.32.8, C.8.12). The colors of the
JPEG frames are kept at half the resolution both ways (4:2:0), under the photometric interpretation
YBR_FULL_422, as converters that take over a scanner's own frames write them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import simplejpeg
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import JPEGBaseline8Bit, VLWholeSlideMicroscopyImageStorage, generate_uid

from curatome.phantom.dicom_parts import describe_frames, describe_study
from curatome.phantom.labels import Label, blank_label
from curatome.phantom.macro import macro_image
from curatome.phantom.pyramid import (
    STEP,
    Coding,
    Pixels,
    Pyramid,
    ReadBlock,
    Spill,
    check_size,
)

_LARGEST_OFFSET = 2**32 - 2


@dataclass(frozen=True)
class DicomOptions:
    """How a DICOM series is written.

    Attributes:
        mpp: µm per pixel.
        objective: nominal magnification.
        scanner: model name of the maker.
        tile: edge of a tile, px, a multiple of 16.
        quality: JPEG quality.
        blocks: how many tiles are read at once from left to right.
        name: container identifier; it also decides all UIDs.
        stain: `H&E` or `DAB`.
        identity: further attributes by keyword, such as `PatientName`; all else is anonymous.
        label: the slide's label, which the overview shows, too.
    """

    mpp: float = 0.499
    objective: int = 20
    scanner: str = "PHANTOM"
    tile: int = 256
    quality: int = 80
    blocks: int = 8
    name: str = "PHANTOM"
    stain: str = "H&E"
    identity: dict[str, str] = field(default_factory=dict)
    label: Label = field(default_factory=blank_label)


@dataclass(frozen=True)
class _Instance:
    """One file of the series: its place in it, flavor, size in px, spacing in µm, tile in px."""

    number: int
    flavor: tuple[str, str]
    size: tuple[int, int]
    mpp: tuple[float, float]
    tile: tuple[int, int]


def _uid(options: DicomOptions, what: str) -> str:
    return generate_uid(entropy_srcs=["curatome phantom", options.name, options.scanner, what])


def _dataset(instance: _Instance, tiles: Sequence[int], options: DicomOptions) -> Dataset:
    """Everything but the pixels."""
    dataset = describe_study(options.name, options.stain, options.scanner)
    dataset.StudyInstanceUID = _uid(options, "study")
    dataset.SeriesInstanceUID = _uid(options, "series")
    dataset.FrameOfReferenceUID = _uid(options, "frame of reference")
    dataset.SOPInstanceUID = _uid(options, f"instance {instance.number}")
    dataset.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    dataset.InstanceNumber = instance.number
    kind, derivation = instance.flavor
    origin = "DERIVED" if derivation == "RESAMPLED" else "ORIGINAL"
    dataset.ImageType = [origin, "PRIMARY", kind, derivation]
    shows_label = kind != "VOLUME"
    dataset.SpecimenLabelInImage = "YES" if shows_label else "NO"
    dataset.BurnedInAnnotation = "YES" if shows_label and options.label.marks else "NO"
    if kind == "LABEL":
        codes = [m.text for m in options.label.marks if m.style == "barcode"]
        dataset.BarcodeValue = codes[0] if codes else ""
        dataset.LabelText = "\r\n".join(m.text for m in options.label.marks if m.style == "print")
    describe_frames(dataset, instance.size, instance.mpp, instance.tile)
    dataset.OpticalPathSequence[0].ObjectiveLensPower = str(options.objective)
    dataset.LossyImageCompressionRatio = f"{_ratio(instance, tiles):.2f}"
    for keyword, value in options.identity.items():
        setattr(dataset, keyword, value)
    dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID = _uid(options, "dimensions")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return dataset


def _ratio(instance: _Instance, tiles: Sequence[int]) -> float:
    return 3 * instance.tile[0] * instance.tile[1] * len(tiles) / max(1, sum(tiles))


def _fragments(lengths: Sequence[int]) -> list[int]:
    """Offsets of the frames' items from the first one, bytes; each frame has an even length."""
    steps = [8 + length + length % 2 for length in lengths]
    return [0, *np.cumsum(steps[:-1], dtype=np.int64).tolist()] if steps else []


def _save(path: Path, dataset: Dataset, tiles: Iterable[bytes], lengths: Sequence[int]) -> None:
    """Write a data set and, after it, its frames, one at a time."""
    offsets = _fragments(lengths)
    basic = offsets[-1] <= _LARGEST_OFFSET
    if not basic:
        dataset.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
        dataset.ExtendedOffsetTableLengths = struct.pack(f"<{len(lengths)}Q", *lengths)
    table = struct.pack(f"<{len(offsets)}I", *offsets) if basic else b""
    header = BytesIO()
    pydicom.dcmwrite(header, dataset, enforce_file_format=True)
    with path.open("wb") as out:
        out.write(header.getvalue())
        out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
        out.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table)
        for tile in tiles:
            padded = tile + b"\0" * (len(tile) % 2)
            out.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(padded)) + padded)
        out.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))


def _save_extra(
    folder: Path, number: int, kind: str, pixels: Pixels, options: DicomOptions
) -> None:
    """A label or overview, as one tile; a glass is 25 mm high."""
    height, width, _ = pixels.shape
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), 90, "RGB", "420", fastdct=True)
    spacing = 25_000 / height
    instance = _Instance(
        number, (kind, "NONE"), (width, height), (spacing, spacing), (width, height)
    )
    lengths = [len(jpeg)]
    _save(folder / f"{kind.lower()}.dcm", _dataset(instance, lengths, options), [jpeg], lengths)


def _save_level(
    folder: Path, number: int, size: tuple[int, int], tiles: Spill, options: DicomOptions
) -> None:
    derivation = "RESAMPLED" if number > 1 else "NONE"
    spacing = options.mpp * STEP ** (number - 1)
    edges = (options.tile, options.tile)
    instance = _Instance(number, ("VOLUME", derivation), size, (spacing, spacing), edges)
    path = folder / f"level-{number - 1}.dcm"
    _save(path, _dataset(instance, tiles.lengths, options), tiles, tiles.lengths)


def write_dicom(
    folder: Path,
    size: tuple[int, int],
    read_block: ReadBlock,
    options: DicomOptions | None = None,
) -> None:
    """Write a whole-slide series: `level-0.dcm`, …, `label.dcm` and `overview.dcm`.

    Memory stays near one strip of tiles per level; all levels wait, encoded, in temporary files.

    Args:
        folder: where to; made if it is missing.
        size: width and height of level 0, px.
        read_block: gives the pixels of (x, y, width, height).
        options: scale, scanner, identity, tile, quality, label.

    Raises:
        ValueError: the size is not positive, or the tile no multiple of 16.
        OSError: a file cannot be written.
    """
    options = options or DicomOptions()
    check_size(size, options.tile)
    folder.mkdir(parents=True, exist_ok=True)
    coding = Coding(options.tile, options.quality, options.blocks)
    pyramid, finest = Pyramid(size, coding), Spill()
    try:
        for tile in pyramid.level0(read_block):
            finest.put(tile)
        _save_level(folder, 1, size, finest, options)
        for number, level in enumerate(pyramid.levels, start=2):
            _save_level(folder, number, (level.width, level.height), level.tiles, options)
    finally:
        finest.close()
        pyramid.close()
    number = len(pyramid.levels) + 2
    _save_extra(folder, number, "LABEL", options.label.pixels, options)
    overview = macro_image(options.label, pyramid.overview.pixels)
    _save_extra(folder, number + 1, "OVERVIEW", overview, options)
