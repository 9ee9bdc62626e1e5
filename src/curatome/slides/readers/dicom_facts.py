"""What the headers of a DICOM slide say about it, where OpenSlide does not open it.

Named and computed as OpenSlide does, so that a slide's facts do not depend on its codec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from curatome.slides.readers.base import Pixels, SlideFacts
from curatome.slides.readers.dicom_frames import FrameFile
from curatome.slides.readers.dicom_level import DicomLevel, dicom_level
from curatome.slides.readers.levels import place_level
from curatome.slides.readers.stored import with_shrinks
from curatome.slides.series import Instance, header_errors

_ROLES = {"label": "label", "overview": "macro", "thumbnail": "thumbnail"}
_SCANNER = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber")
_TEXT = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UI", "US"}


def series_facts(levels: Sequence[DicomLevel], associated: tuple[str, ...]) -> SlideFacts:
    """The facts of a slide.

    Args:
        levels: from finest to coarsest.
        associated: names of label, macro and thumbnail images.
    """
    header: Any = levels[0].header
    sizes = [level.kind.matrix for level in levels]
    path = (header.get("OpticalPathSequence") or [{}])[0]
    power, icc = path.get("ObjectiveLensPower"), path.get("ICCProfile")
    scanner = " ".join(str(header.get(name) or "").strip() for name in _SCANNER)
    return SlideFacts(
        reader="dicom",
        format="dicom",
        levels=with_shrinks([place_level(sizes[0], size) for size in sizes], levels),
        mpp=_mpp(header),
        objective_power=None if power is None else float(power),
        scanner=" ".join(scanner.split()) or None,
        associated=associated,
        icc_profile=bytes(icc) if icc else None,
        properties=_properties(header),
    )


def associated_images(
    members: Iterable[Instance], opened: ExitStack
) -> dict[str, Callable[[], Pixels]]:
    """Decoders of the label, macro and thumbnail images among the files of a slide, by name."""
    found: dict[str, Callable[[], Pixels]] = {}
    for member in members:
        if member.role not in _ROLES:
            continue
        try:
            file = FrameFile(Path(member.path))
            opened.callback(file.close)
            level = dicom_level([file])
        except header_errors():
            continue
        if level is not None and level.kind.grid == (1, 1):
            found.setdefault(_ROLES[member.role], partial(_only_frame, level))
    return found


def _only_frame(level: DicomLevel) -> Pixels:
    pixels = level.decode(0, 0, 1.0)
    if pixels is None:
        raise ValueError("it holds no frame")
    width, height = level.kind.matrix
    return pixels[:height, :width]


def _mpp(header: Any) -> tuple[float, float] | None:
    """From the pixel spacing, which is in mm, between rows first (DICOM PS3.3, 10.7.1.3)."""
    shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
    measures = (shared.get("PixelMeasuresSequence") or [{}])[0]
    spacing = measures.get("PixelSpacing")
    if spacing is None or len(spacing) != 2:
        return None
    return float(spacing[1]) * 1000, float(spacing[0]) * 1000


def _properties(header: Any) -> dict[str, str]:
    """The header's own short values, `dicom.Manufacturer` and so on."""
    return {
        f"dicom.{element.keyword}": str(element.value)
        for element in header
        if element.keyword and element.VR in _TEXT and element.VM == 1
    }
