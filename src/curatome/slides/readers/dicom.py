"""DICOM slides, read frame by frame: faster than OpenSlide, the same pixels.

What the files say about the slide comes from OpenSlide, as long as it opens it; what it does not
open (JPEG-LS, high-throughput JPEG 2000, frames in several items without an offset table) is read
here all the same. Whatever does not fit, such as uncompressed frames or several focal planes, is
left to OpenSlide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import openslide
from openslide.lowlevel import OpenSlideError

from curatome.slides.readers.base import Pixels, SlideFacts
from curatome.slides.readers.dicom_facts import associated_images, series_facts
from curatome.slides.readers.dicom_frames import FrameFile
from curatome.slides.readers.dicom_level import DicomLevel, dicom_level
from curatome.slides.readers.openslide import OpenSlideReader
from curatome.slides.readers.stored import StoredTileReader, with_shrinks
from curatome.slides.series import Instance, header_errors, series_of

Associated = dict[str, Callable[[], Pixels]]


def open_dicom(path: Path) -> StoredTileReader | None:
    """The slide by its frames, or None if it must be left to OpenSlide.

    Raises:
        UnreadableSlide: files are missing of a level that is split into several.
    """
    if not _is_dicom(path) or openslide.OpenSlide.detect_format(str(path)) != "dicom":
        return None
    with ExitStack() as opened:
        members = series_of(path)
        try:
            levels = _levels(members, opened)
            facts, associated = _facts(path, members, levels, opened) if levels else (None, {})
        except header_errors():
            return None  # the next reader says what is wrong
        if levels is None or facts is None:
            return None
        return StoredTileReader(path, facts, levels, associated, opened.pop_all().close)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _levels(members: Iterable[Instance], opened: ExitStack) -> list[DicomLevel] | None:
    """From finest to coarsest; None where one of them cannot be read here."""
    groups: dict[tuple[int, int], list[Instance]] = {}
    for member in members:
        if member.volume:
            groups.setdefault((member.width, member.height), []).append(member)
    levels = []
    for size in sorted(groups, reverse=True):
        if len({member.whole for member in groups[size]}) > 1:
            return None  # two images of one size: other focal planes, other light
        files = [_open(Path(member.path), opened) for member in groups[size]]
        level = dicom_level(files)
        if level is None:
            return None
        levels.append(level)
    return levels or None


def _open(path: Path, opened: ExitStack) -> FrameFile:
    file = FrameFile(path)
    opened.callback(file.close)
    return file


def _facts(
    path: Path, members: Sequence[Instance], levels: list[DicomLevel], opened: ExitStack
) -> tuple[SlideFacts | None, Associated]:
    """From OpenSlide, or from the headers themselves; None if OpenSlide shows other levels."""
    try:
        slide = OpenSlideReader(path)
    except OpenSlideError:
        others = [member for member in members if not member.volume]
        associated = associated_images(others, opened)
        facts = series_facts(levels, tuple(sorted(associated)))
        return facts, dict(associated)
    opened.callback(slide.close)
    facts = slide.facts
    if [(at.width, at.height) for at in facts.levels] != [level.kind.matrix for level in levels]:
        return None, {}
    shown = with_shrinks(facts.levels, levels)
    by_name = {name: partial(slide.associated, name) for name in facts.associated}
    return replace(facts, reader="dicom", levels=shown), dict(by_name)
