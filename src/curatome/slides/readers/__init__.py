"""Opening slides of any vendor: `open_slide`, and the registry behind it."""

from __future__ import annotations

from pathlib import Path

from curatome.errors import UnreadableSlide
from curatome.slides.readers.base import Level, OpenReader, Region, SlideFacts, SlideReader
from curatome.slides.readers.dicom import open_dicom
from curatome.slides.readers.direct import open_direct
from curatome.slides.readers.image import open_image
from curatome.slides.readers.openslide import open_openslide
from curatome.slides.readers.tiff import open_ome_tiff, open_tiff

__all__ = ["READERS", "Level", "Region", "SlideFacts", "SlideReader", "open_slide"]

READERS: tuple[tuple[str, OpenReader], ...] = (
    ("ome-tiff", open_ome_tiff),  # before OpenSlide, which would open one channel of several
    ("direct", open_direct),  # before OpenSlide, which it leaves everything to that it cannot do
    ("dicom", open_dicom),  # the same
    ("openslide", open_openslide),
    ("tiff", open_tiff),
    ("image", open_image),
)
"""Readers in the order they are tried; the first that knows the file opens it or refuses it."""


def open_slide(path: Path) -> SlideReader:
    """The slide, opened by the first reader that knows its format.

    Raises:
        UnreadableSlide: there is no such file, no reader knows it, or it is broken.
        UnsupportedSlide: it is sound, but not a bright-field RGB image.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UnreadableSlide(f"{path} {what} (stage open). Name the slide's own file.")
    try:
        for _, opener in READERS:
            reader = opener(path)
            if reader is not None:
                return reader
        start = _first_bytes(path)
    except OSError as error:
        raise UnreadableSlide(
            f"{path.name} cannot be read: {error.strerror or error} (stage open). "
            "Check the disk and the file's permissions."
        ) from error
    names = ", ".join(name for name, _ in READERS)
    raise UnreadableSlide(
        f"{path.name} cannot be opened by any reader (stage open): it {start}, and none of "
        f"{names} knows such a file. Copy it again from the scanner, or export it as TIFF."
    )


def _first_bytes(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(8)
    return f"begins with the bytes {head.hex(' ')}" if head else "is empty"
