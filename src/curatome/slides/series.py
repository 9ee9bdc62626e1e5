"""Which DICOM files make one slide."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curatome.location import Location, file_stamp, opened

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

_WHOLE_SLIDE_IMAGE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_FRAMES = 0x52000000  # from here on: one entry for each frame, then the pixels
_TAGS: list[BaseTag | int] = [
    0x00080008,  # image type
    0x00080016,  # SOP class
    0x00080018,  # SOP instance
    0x0020000E,  # series instance
    0x00200242,  # instance that a concatenation was split from
    0x00480006,  # columns of the total pixel matrix
    0x00480007,  # rows of it
]


def header_errors() -> tuple[type[Exception], ...]:
    """What pydicom raises on broken headers."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    return (
        InvalidDicomError,
        BytesLengthException,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,
        struct.error,
        zlib.error,
    )


@dataclass(frozen=True)
class Instance:
    """What the header of a DICOM file says about its place in a slide.

    Attributes:
        path: the file, here or in a store.
        kind: SOP class UID.
        uid: SOP instance UID.
        series: series instance UID; the file's own path where it has none.
        volume: it is a level of the pyramid, no label, overview or thumbnail.
        width: of its whole matrix, px; 0 where it is not said.
        height: the same.
        whole: the instance that it is a part of, its own UID if it is no part of a concatenation.
        role: label, overview, thumbnail; what the image type says third.
    """

    path: Location
    kind: str
    uid: str
    series: str
    volume: bool
    width: int = 0
    height: int = 0
    whole: str = ""
    role: str = ""


def read_instance(path: Location) -> Instance:
    """An instance from a file's header, without frames and pixels.

    A file whose header cannot be read makes a series of its own, for the reader to report. A
    header is read again only when the file has changed.

    Raises:
        StorageError: the store of the file cannot be asked.
    """
    try:
        return _read_instance(path, file_stamp(path))
    except header_errors():
        return Instance(path, _WHOLE_SLIDE_IMAGE, str(path), str(path), True)


@lru_cache(maxsize=1 << 14)
def _read_instance(path: Location, stamp: str | None) -> Instance:  # noqa: ARG001
    with opened(path) as stream:
        from pydicom.filereader import read_partial

        header: Any = read_partial(stream, _at_frames, specific_tags=_TAGS)
    kinds = [str(kind) for kind in header.get("ImageType") or []]
    uid = str(header.get("SOPInstanceUID") or path)
    return Instance(
        path,
        kind=str(header.get("SOPClassUID", "")),
        uid=uid,
        series=str(header.get("SeriesInstanceUID") or path),
        volume="VOLUME" in kinds,
        width=int(header.get("TotalPixelMatrixColumns") or 0),
        height=int(header.get("TotalPixelMatrixRows") or 0),
        whole=str(header.get("SOPInstanceUIDOfConcatenationSource") or uid),
        role=kinds[2].lower() if len(kinds) > 2 else "",
    )


def _at_frames(tag: int, vr: str | None, length: int) -> bool:  # noqa: ARG001
    return int(tag) >= _FRAMES


def series_of_folder(
    paths: Iterable[Location], slides_only: bool = False
) -> list[tuple[Location, tuple[Location, ...]]]:
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
    slides = []
    for members in _groups(paths, slides_only):
        main = max(members, key=lambda m: (m.volume, m.width * m.height))
        slides.append((main.path, tuple(member.path for member in members)))
    return slides


def series_of(path: Path) -> list[Instance]:
    """All instances of the slide that a DICOM file belongs to, in the order of names."""
    groups = _groups({path, *dicom_files(path.parent)}, slides_only=False)
    return next(members for members in groups if any(m.path == path for m in members))


def dicom_files(folder: Path) -> list[Path]:
    """The visible DICOM files of a folder, in the order of names."""
    visible = (p for p in folder.iterdir() if not p.name.startswith("."))
    return sorted(p for p in visible if p.suffix.lower() == ".dcm" and p.is_file())


def _groups(paths: Iterable[Location], slides_only: bool) -> list[list[Instance]]:
    groups: dict[str, list[Instance]] = {}
    for path in sorted(paths, key=str):
        instance = read_instance(path)
        if slides_only and instance.kind != _WHOLE_SLIDE_IMAGE:
            continue
        key = f"{instance.kind} {instance.series}"
        if instance.uid in {other.uid for other in groups.get(key, [])}:
            key = str(path)
        groups.setdefault(key, []).append(instance)
    return list(groups.values())
