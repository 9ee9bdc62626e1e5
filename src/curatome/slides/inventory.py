"""What is known about a slide when it is registered, and what is wrong with it.

Finding slides on disk is in `files`, the scale in `scale`, the tables of slides and cases in
`sheets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from curatome.errors import UnreadableSlide, UnsupportedSlide
from curatome.findings import Finding, Severity
from curatome.location import Location
from curatome.slides.files import SlideFiles, find_slides, slide_id
from curatome.slides.readers import SlideFacts, SlideReader, open_slide
from curatome.slides.scale import resolve_mpp
from curatome.slides.sheets import match_rows, read_case_table, read_slide_table

__all__ = [
    "SlideFiles",
    "find_slides",
    "match_rows",
    "probe",
    "read_case_table",
    "read_slide_table",
    "refused",
    "resolve_mpp",
    "same_content",
    "slide_id",
    "unfetched",
    "unreadable",
]

_SIDE = 64  # pixels of each level that are decoded


def probe(path: Path, stage: Callable[[str], None] | None = None) -> SlideFacts:
    """A slide's facts, after a small region in the middle of every level was decoded.

    Run in a supervised child: the file is foreign.

    Args:
        path: the slide's own file.
        stage: is told what is about to be done, `open` or `decode level 2`.

    Raises:
        UnreadableSlide: the slide cannot be opened or decoded.
        UnsupportedSlide: it is sound, but not a bright-field RGB image.
    """
    tell = stage or _ignore
    tell("open")
    slide = open_slide(path)
    try:
        for index in range(len(slide.facts.levels)):
            tell(f"decode level {index}")
            _decode_middle(slide, index, path)
        return slide.facts
    finally:
        slide.close()


def _ignore(stage: str) -> None:
    del stage


def _decode_middle(slide: SlideReader, index: int, path: Path) -> None:
    level = slide.facts.levels[index]
    half_x = min(_SIDE, level.width) / 2 * level.downsample_x
    half_y = min(_SIDE, level.height) / 2 * level.downsample_y
    x, y = level.width / 2 * level.downsample_x, level.height / 2 * level.downsample_y
    region = slide.read(index, x - half_x, y - half_y, x + half_x, y + half_y)
    if region.pixels.size == 0:
        raise UnreadableSlide(
            f"{path.name}: the middle of level {index} holds no pixels (stage decode level "
            f"{index}). Copy the file again, or leave it out."
        )


def unreadable(subject: str, name: str, error: str) -> Finding:
    """ACQ001: a slide that cannot be opened or decoded, or whose reading was cut off.

    Args:
        subject: what the finding is about, `slide 3f2a…`.
        name: the slide's file, for the message.
        error: what happened and at which stage, as the error or the supervisor says it.
    """
    message = error if name in error else f"{name}: {error}"
    remedy = "Copy the file again from the scanner or the archive, or leave it out."
    return Finding("ACQ001", Severity.ERROR, subject, message, remedy, evidence={"file": name})


def unfetched(subject: str, url: str, error: str) -> Finding:
    """STO001: a slide in a store that cannot be copied to this machine.

    Args:
        subject: what the finding is about, `slide 3f2a…`.
        url: where the slide lies.
        error: what happened, in words.
    """
    message = error if url in error else f"{url}: {error}"
    remedy = "Put right what the message names, and run the command again; nothing else is redone."
    return Finding("STO001", Severity.ERROR, subject, message, remedy, evidence={"url": url})


def refused(subject: str, name: str, error: UnsupportedSlide) -> Finding:
    """ACQ006: a sound slide that is no bright-field RGB image."""
    remedy = "Leave it out, or export it as 8-bit RGB if it was stained for bright field."
    evidence = {"file": name}
    return Finding("ACQ006", Severity.WARNING, subject, str(error), remedy, evidence=evidence)


def same_content(slides: Iterable[tuple[str, Location]]) -> list[Finding]:
    """ACQ005: slides of one content under several names.

    Args:
        slides: content hash and path of every slide.
    """
    names: dict[str, list[Location]] = {}
    for sha256, path in slides:
        known = names.setdefault(sha256, [])
        if path not in known:
            known.append(path)
    return [
        Finding(
            "ACQ005",
            Severity.WARNING,
            f"slide {slide_id(sha256)}",
            f"{len(paths)} files hold the same slide: {', '.join(str(path) for path in paths)}. "
            "It is registered once.",
            "Remove the copies; if they should be different slides, one was exported wrongly.",
            evidence={"files": [str(path) for path in paths]},
        )
        for sha256, paths in names.items()
        if len(paths) > 1
    ]
