"""Where slides and shards lie: on this machine by path, in an object store by URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from curatome.errors import MissingObject, StorageError
from curatome.objects import CONNECTIONS, describe, opened_object

Location = Path | str
"""A file: a path of this machine, or an object's URL as text."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(text: object) -> bool:
    """Whether a text is a URL, and no path of this machine."""
    return isinstance(text, str) and _URL.match(text) is not None


def located(text: str | Path, folder: Path | None = None) -> Location:
    """What a path or URL as a person wrote it, or as a table keeps it, stands for.

    Args:
        text: a path, `s3://bucket/a.svs`, or `file:///a.svs`, which is a path as well.
        folder: what a relative path begins at.
    """
    if isinstance(text, str) and text.startswith("file://"):
        return Path(unquote(text.removeprefix("file://")))
    if isinstance(text, str) and is_url(text):
        return text
    return Path(text) if folder is None else folder / text


def joined(place: Location, name: str) -> Location:
    """What lies under a relative name in a folder."""
    return place / name if isinstance(place, Path) else f"{place.rstrip('/')}/{name}"


def file_name(place: Location) -> str:
    """The last part of a path or URL, without the query of a web address."""
    if isinstance(place, Path):
        return place.name
    web = place.lower().startswith(("http://", "https://"))
    return unquote(urlsplit(place).path if web else place).rpartition("/")[2]


def file_stamp(place: Location) -> str | None:
    """What changes when a file does (size and time or tag); None if it is not there.

    Raises:
        StorageError: its store cannot be asked.
    """
    if isinstance(place, Path):
        try:
            stat = place.stat()
        except OSError:
            return None
        return f"{stat.st_size}-{stat.st_mtime_ns}"
    try:
        return describe([place])[0].stamp
    except MissingObject:
        return None


def file_stamps(places: Iterable[Location]) -> dict[Location, str | None]:
    """`file_stamp` of many files at once, without those whose store cannot be asked."""

    def ask(place: Location) -> tuple[Location, str | None] | None:
        try:
            return place, file_stamp(place)
        except StorageError:
            return None

    wanted = list(places)
    remote = [place for place in wanted if is_url(place)]
    found = [ask(place) for place in wanted if not is_url(place)]
    if remote:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            found += pool.map(ask, remote)
    return dict(pair for pair in found if pair is not None)


@contextmanager
def opened(place: Location) -> Iterator[BinaryIO]:
    """A file to read some of, from any position; of an object, only what is asked for is sent.

    Raises:
        OSError: a file of this machine cannot be read.
        StorageError: an object cannot be opened.
    """
    if isinstance(place, Path):
        with place.open("rb") as stream:
            yield stream
    else:
        with opened_object(place) as stream:
            yield stream
