"""Objects of stores, by URL: S3, Google Cloud Storage, Azure, the web, and what else fsspec opens.

Credentials and endpoints come from fsspec's own configuration (`~/.config/fsspec`, `FSSPEC_…`)
and from that of each store's own tools.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

from curatome.durable import new_file
from curatome.errors import MissingObject, StorageError

Tick = Callable[[int], object]
"""Is told how many bytes went by since it was last called."""

CONNECTIONS = 32
"""How many objects are asked about at the same time."""

_MAGIC = re.compile(r"[*?\[]")
_WEB = ("http", "https")
_MARKS = (
    *("ETag", "etag", "md5Hash", "content_md5", "Content-MD5"),
    *("Last-Modified", "LastModified", "last_modified", "updated", "mtime", "modified", "created"),
)
_PAUSES = (0.5, 2.0)  # before what failed is tried again, seconds
# What another try does not change: it is not there, not allowed, or nothing the driver can do;
# its package is missing, or the address is wrong. fsspec says the third as NotImplementedError.
_FINAL = (
    *(FileNotFoundError, PermissionError, NotImplementedError),
    *(ImportError, ValueError, TypeError, KeyError),
)
_Value = TypeVar("_Value")

_systems: dict[tuple[int, str], Any] = {}


@dataclass(frozen=True)
class StoredObject:
    """An object of a store.

    Attributes:
        url: where it is.
        size: in bytes; None where the store does not say.
        mark: its content's tag, or the time of its last change; empty where there is neither.
    """

    url: str
    size: int | None
    mark: str

    @property
    def stamp(self) -> str:
        """Size and mark: equal as long as the object is unchanged."""
        return f"{self.size}-{self.mark}"


def describe(urls: Sequence[str]) -> list[StoredObject]:
    """Size and mark of objects, asked for anew.

    Raises:
        MissingObject: there is no such object.
        StorageError: the store cannot be asked.
    """
    if len(urls) == 1:
        return [_describe(urls[0])]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(_describe, urls))


def _describe(url: str) -> StoredObject:
    with _told("be read", url):
        system, path = _system(url)
        system.invalidate_cache()
        info = _patiently(lambda: system.info(path))
    mark = next((str(info[name]) for name in _MARKS if info.get(name)), "")
    return StoredObject(url, info.get("size"), mark.strip('"'))


def find_objects(url: str) -> list[str]:
    """URLs of the objects that a URL stands for, in the order of their names.

    Args:
        url: of an object; of a folder, for all objects below it; or with `*`, `?` or `[…]`, for
            those that match, also through folders with `**`. A folder of a web server ends in
            `/`, and is what its index page links to.

    Raises:
        MissingObject: nothing is there.
        StorageError: the store cannot be asked.
    """
    with _told("be listed", url):
        system, path = _system(url)
        system.invalidate_cache()
        base = _before_magic(url)
        if base != url and not system.exists(path):
            found = _sizes(system, base, _patiently(lambda: system.glob(path, detail=True)))
            if not found:
                raise MissingObject(f"nothing matches {url}. Check the pattern.")
            return list(found)
        if not url.endswith("/") and _patiently(lambda: system.info(path))["type"] == "file":
            return [url]
    return list(objects_below(url))


def objects_below(url: str, deep: bool = True) -> dict[str, int | None]:
    """URLs of the objects in a folder with their sizes in bytes, in the order of their names.

    Args:
        url: of the folder.
        deep: also of those in folders below it.

    Raises:
        MissingObject: nothing is there.
        StorageError: the folder cannot be listed.
    """
    with _told("be listed", url):
        system, path = _system(url)
        system.invalidate_cache()
        if deep:
            found = _patiently(lambda: system.find(path, detail=True))
        else:
            listed = _patiently(lambda: system.ls(path, detail=True))
            found = {info["name"]: info for info in listed}
        sizes = _sizes(system, url, found)
    if not sizes:
        raise MissingObject(f"nothing is at {url}. Check bucket and path.")
    return sizes


def _sizes(system: Any, base: str, found: Mapping[str, Mapping[str, Any]]) -> dict[str, int | None]:
    """What a driver calls objects below a folder, by URLs that begin as the folder's does."""
    inner = system._strip_protocol(base).rstrip("/")
    outer = base if base.endswith("://") else base.rstrip("/")
    sizes = {
        name if "://" in name else outer + name[len(inner) :]: info.get("size")
        for name, info in found.items()
        if info["type"] == "file"
    }
    return dict(sorted(sizes.items()))


@contextmanager
def opened_object(url: str) -> Iterator[BinaryIO]:
    """An object to read some of, from any position; only what is asked for is sent.

    Raises:
        StorageError: it cannot be opened.
    """
    with _told("be read", url):
        system, path = _system(url)
        stream = system.open(path, "rb")
    with stream:
        yield stream


def fetch(source: StoredObject, path: Path, tick: Tick | None = None) -> None:
    """Copy an object to a file, which appears when it is whole.

    Raises:
        StorageError: the object cannot be read, is cut short, or changes meanwhile.
        OSError: the file cannot be written.
    """
    url = source.url
    with new_file(path) as stream:
        with _told("be read", url):
            system, inner = _system(url)
            _patiently(lambda: system.get_file(inner, stream.name, callback=_ticking(tick)))
        size = Path(stream.name).stat().st_size
        if source.size is not None and size != source.size:
            raise StorageError(
                f"{url} has {source.size} bytes, and {size} arrived. Run the command again; if it "
                "stays so, the object or its server is damaged."
            )
        if describe([url])[0] != source:
            raise StorageError(f"{url} changed while it was read. Run the command again.")


def put(path: Path, url: str, tick: Tick | None = None) -> None:
    """Copy a file to an object, and see that all of it is there.

    Raises:
        StorageError: the object cannot be written.
    """
    with _told("be written", url):
        system, inner = _system(url)
        _patiently(lambda: system.put_file(str(path), inner, callback=_ticking(tick)))
        system.invalidate_cache()
        there = _patiently(lambda: system.info(inner))["size"]
    size = path.stat().st_size
    if there != size:
        raise StorageError(f"{url} has {there} bytes after {size} were written. Run it again.")


def remove_objects(urls: Sequence[str]) -> None:
    """Remove objects of one store.

    Raises:
        StorageError: the store does not let them be removed.
    """
    if not urls:
        return
    with _told("be removed", urls[0]):
        system = _system(urls[0])[0]
        system.rm([system._strip_protocol(url) for url in urls])
        system.invalidate_cache()


def read_ranges(places: Sequence[tuple[str, int, int]]) -> list[bytes]:
    """Bytes of objects of one store, all asked for at the same time.

    Args:
        places: URL, first byte and number of bytes of each range.

    Raises:
        StorageError: an object cannot be read.
        EOFError: one is shorter, or its server sends no ranges.
    """
    if not places:
        return []
    with _told("be read", places[0][0]):
        system = _system(places[0][0])[0]
        paths = [system._strip_protocol(url) for url, _, _ in places]
        starts = [offset for _, offset, _ in places]
        ends = [offset + length for _, offset, length in places]
        found = system.cat_ranges(paths, starts, ends, on_error="return")
    pieces = []
    for (url, offset, length), piece in zip(places, found, strict=True):
        data = _read_again(url, offset, length) if isinstance(piece, Exception) else bytes(piece)
        if len(data) != length:
            raise EOFError(f"{url}: wanted {length} bytes at {offset}, got {len(data)}.")
        pieces.append(data)
    return pieces


def _read_again(url: str, offset: int, length: int) -> bytes:
    with _told("be read", url):
        system, path = _system(url)
        end = offset + length
        return bytes(_patiently(lambda: system.cat_file(path, start=offset, end=end)))


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _is_web(url: str) -> bool:
    return _scheme(url) in _WEB


def _before_magic(url: str) -> str:
    """The part of a pattern that names a folder; the whole URL if it is no pattern."""
    text = url.partition("?")[0] if _is_web(url) else url
    magic = _MAGIC.search(text)
    return text[: text.rfind("/", 0, magic.start()) + 1] if magic else url


def _system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    import fsspec

    key = os.getpid(), url.partition("://")[0] + urlsplit(url).netloc
    if key in _systems:
        return _systems[key], _systems[key]._strip_protocol(url)
    system, path = fsspec.core.url_to_fs(url)
    if system.async_impl:  # any thread may use it, and need not connect by itself
        _systems[key] = system
    return system, path


def _ticking(tick: Tick | None) -> Any:
    from fsspec.callbacks import Callback

    class Ticking(Callback):  # type: ignore[misc] # fsspec is not typed
        def relative_update(self, inc: int = 1) -> None:
            if tick is not None:
                tick(inc)

    return Ticking()


def _patiently(call: Callable[[], _Value]) -> _Value:
    """The value of a call that is made again if the network seems to have failed."""
    for pause in _PAUSES:
        try:
            return call()
        except _FINAL:
            raise
        except Exception:  # each driver has errors of its own, see _told
            time.sleep(pause)
    return call()


@contextmanager
def _told(what: str, url: str) -> Iterator[None]:
    # A front door: every driver raises errors of its own, and all of them are about the object.
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        raise _storage_error(what, url, error) from error


def _storage_error(what: str, url: str, error: Exception) -> StorageError:
    if isinstance(error, ImportError):
        return StorageError(f"{url} needs another package. Run `pip install {_package(url)}`.")
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        known = "s3://, gs://, az://, https://"
        return StorageError(f"{url}: {_scheme(url)}:// is not known. Known are {known} and others.")
    cause = error.__cause__
    status = getattr(error, "status", None) or getattr(cause, "status", None)
    if isinstance(error, PermissionError) or status in (401, 403):
        return StorageError(
            f"{url} cannot {what}: access is denied. Check the credentials of the store, or in "
            f"fsspec's configuration (~/.config/fsspec), on every machine that reads it."
        )
    lost = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    if isinstance(error, FileNotFoundError) and not lost:
        return MissingObject(f"{url} cannot {what}: it is not there. Check bucket and path.")
    why = cause if isinstance(error, FileNotFoundError) else error
    said = " ".join(str(why).split())
    return StorageError(
        f"{url} cannot {what}: {type(why).__name__} {said}. Check the address, the network and "
        "the credentials, and run the command again."
    )


def _package(url: str) -> str:
    from fsspec.registry import known_implementations

    driver = str(known_implementations.get(_scheme(url), {}).get("class", _scheme(url)))
    return "aiohttp" if _is_web(url) else driver.partition(".")[0]
