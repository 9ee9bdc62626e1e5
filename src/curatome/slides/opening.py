"""Opening slides wherever they lie; those in a store are copied to this machine first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curatome.copies import local_copies
from curatome.jobs import progress, stage
from curatome.location import Location
from curatome.slides.files import SlideFiles, slide_at
from curatome.slides.readers import SlideReader, open_slide

FETCH = "fetch"
"""How the stage is called in which a slide comes from its store: its failure is not the slide's."""


@contextmanager
def local_slide(slide: SlideFiles) -> Iterator[SlideFiles]:
    """A slide's files on this machine, as long as the block lasts.

    Raises:
        StorageError: the slide lies in a store, and a file cannot be read there.
        OSError: there is no room for copies.
    """
    urls = [path for path in slide.files if isinstance(path, str)]
    if not urls:
        yield slide
        return
    stage(f"{FETCH} {slide.path}")
    main = urls.index(str(slide.path))
    urls.insert(0, urls.pop(main))
    with local_copies(urls, lambda size: progress(fetched=size)) as paths:
        yield SlideFiles(paths[0], tuple(sorted(paths)))


@contextmanager
def opened_slide(place: Location) -> Iterator[SlideReader]:
    """An open slide, closed when the block ends.

    Args:
        place: the slide's own file; what belongs to it is found beside it.

    Raises:
        UnreadableSlide: it cannot be opened.
        UnsupportedSlide: it is no bright-field RGB image.
        StorageError: it lies in a store, and a file cannot be read there.
        OSError: there is no room for copies.
    """
    if isinstance(place, str):
        stage(f"{FETCH} {place}")
    slide = SlideFiles(place, (place,)) if isinstance(place, Path) else slide_at(place)
    with local_slide(slide) as here:
        assert isinstance(here.path, Path)
        stage("open")
        reader = open_slide(here.path)
        try:
            yield reader
        finally:
            reader.close()
