"""What the tools write: one module per format, each reads and writes `tables.ANNOTATIONS`."""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

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
from curatome.errors import AnnotationError

__all__ = [
    "Carries",
    "Doubt",
    "Format",
    "Frame",
    "Frames",
    "Loss",
    "Options",
    "Reading",
    "UnknownFormat",
    "all_formats",
    "format_named",
    "recognize",
]

_MODULES = (
    "qupath",
    "coco",
    "labelme",
    "labelstudio",
    "sectra",
    "cytomine",
    "exact",
    "asap",
    "imagescope",
    "ndpa",
    "halo",
    "cvat",
    "voc",
    "yolo",
    "csv_table",
    "geoparquet",
    "sliderunner",
    "masks",
    "dicom_seg",
    "dicom_ann",
)
_HEAD_BYTES = 1 << 16
_GZIP = b"\x1f\x8b"


class UnknownFormat(AnnotationError):  # noqa: N818 - a format is unknown, not an error
    """No format knows the file."""


@lru_cache(maxsize=1)
def all_formats() -> tuple[Format, ...]:
    """Every format, in the order in which files are tried."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in _MODULES)
    return tuple(module.FORMAT for module in modules)


def format_named(name: str) -> Format:
    """The format of a name.

    Raises:
        AnnotationError: there is none; lists them all.
    """
    formats = all_formats()
    for one in formats:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in formats)
    raise AnnotationError(f'there is no format "{name}". Use one of {known}.')


def recognize(path: Path, formats: Sequence[Format] | None = None) -> tuple[Format, str]:
    """The format of a file or folder, and how one knows.

    Args:
        path: the file, or a folder that is one set of annotations, such as YOLO's.
        formats: to choose from; all of them if not given.

    Raises:
        UnknownFormat: no format knows it.
        AnnotationError: several do.
        OSError: it cannot be read.
    """
    head = b"" if path.is_dir() else _head(path)
    known = [
        (one, how)
        for one in (all_formats() if formats is None else formats)
        if (how := one.recognize(path, head)) is not None
    ]
    if len(known) == 1:
        return known[0]
    if known:
        claims = "; ".join(f"{one.name} ({how})" for one, how in known)
        raise AnnotationError(
            f"{path.name} could be of several formats: {claims}. Say which with --format."
        )
    raise UnknownFormat(
        f"{path.name} is of no format that Curatome knows: {_looks(path, head)}. "
        "docs/annotations.md lists the formats; --format chooses one."
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.startswith(_GZIP):
        return head
    try:
        with gzip.open(path) as unzipped:
            return unzipped.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return head


def _looks(path: Path, head: bytes) -> str:
    if path.is_dir():
        return "it is a folder, without the files of a format that uses folders"
    if not head.strip():
        return "it is empty"
    start = head[:40].decode("utf-8", "replace").strip().splitlines()[:1]
    return f'it begins with "{start[0]}"' if start else "it holds no text"
