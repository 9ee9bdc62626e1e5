"""Which DICOM files make one slide."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

_WHOLE_SLIDE_IMAGE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_FRAMES = 0x52000000  # from here on: one entry for each frame, then the pixels
_TAGS: list[BaseTag | int] = [
    0x00080008,  # image type
    0x00080016,  # SOP class
    0x00080018,  # SOP instance
    0x0020000E,  # series instance
    0x00480006,  # columns of the total pixel matrix
    0x00480007,  # rows of it
]
_HEADER_ERRORS = (InvalidDicomError, OSError, EOFError, ValueError, LookupError, struct.error)


@dataclass(frozen=True)
class Instance:
    """What the header of a DICOM file says about its place in a slide.

    Attributes:
        path: the file.
        kind: SOP class UID.
        uid: SOP instance UID.
        series: series instance UID; the file's own path where it has none.
        volume: it is a level of the pyramid, no label, overview or thumbnail.
        pixels: number of pixels of its whole matrix.
    """

    path: Path
    kind: str
    uid: str
    series: str
    volume: bool
    pixels: int


def read_instance(path: Path) -> Instance:
    """An instance from a file's header, without frames and pixels.

    A file whose header cannot be read makes a series of its own, for the reader to report.
    """
    try:
        with path.open("rb") as stream:
            header = read_partial(stream, _at_frames, specific_tags=_TAGS)
        pixels = int(header.get("TotalPixelMatrixColumns") or 0)
        pixels *= int(header.get("TotalPixelMatrixRows") or 0)
    except _HEADER_ERRORS:
        return Instance(path, _WHOLE_SLIDE_IMAGE, str(path), str(path), True, 0)
    kinds: Any = header.get("ImageType") or []
    return Instance(
        path,
        kind=str(header.get("SOPClassUID", "")),
        uid=str(header.get("SOPInstanceUID") or path),
        series=str(header.get("SeriesInstanceUID") or path),
        volume="VOLUME" in [str(kind) for kind in kinds],
        pixels=pixels,
    )


def _at_frames(tag: int, vr: str | None, length: int) -> bool:  # noqa: ARG001
    return int(tag) >= _FRAMES


def series_of_folder(
    paths: Iterable[Path], slides_only: bool = False
) -> list[tuple[Path, tuple[Path, ...]]]:
    """DICOM files of one folder as slides.

    Instances of one series are one slide. Two files that claim to be the same instance cannot be
    levels of one pyramid, so every one after the first is a slide of its own.

    Args:
        paths: DICOM files of one folder.
        slides_only: pass over what is no whole-slide image (segmentations, annotations).

    Returns:
        For each slide the file to open, the one with the most pixels, and all of its files in
        the order of names.
    """
    groups: dict[str, list[Instance]] = {}
    for path in sorted(paths):
        instance = read_instance(path)
        if slides_only and instance.kind != _WHOLE_SLIDE_IMAGE:
            continue
        key = f"{instance.kind} {instance.series}"
        if instance.uid in {other.uid for other in groups.get(key, [])}:
            key = str(path)
        groups.setdefault(key, []).append(instance)
    slides = []
    for members in groups.values():
        main = max(members, key=lambda m: (m.volume, m.pixels))
        slides.append((main.path, tuple(member.path for member in members)))
    return slides
