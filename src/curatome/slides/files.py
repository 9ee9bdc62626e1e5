"""Which files, here or in a store, are slides, and which of them belong together."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from curatome.errors import MissingObject, ProjectError
from curatome.hashes import files_sha256
from curatome.location import Location, file_name, located, opened
from curatome.objects import find_objects, objects_below
from curatome.slides.series import series_of_folder

_WHOLE_SLIDES = {".svs", ".svslide", ".ndpi", ".vms", ".vmu", ".scn", ".mrxs", ".bif", ".czi"}
_TIFF = {".tif", ".tiff", ".qptiff", ".btf", ".tf8"}
_IMAGES = {".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".bmp", ".webp"}
EXTENSIONS = frozenset({".dcm"} | _WHOLE_SLIDES | _TIFF | _IMAGES)
"""What is taken for a slide when a folder is searched; a file that is named is always taken."""

_SETS = (".vms", ".vmu")


@dataclass(frozen=True)
class SlideFiles:
    """One slide on disk, or in a store.

    Attributes:
        path: the file to open.
        files: every file of the slide, `path` among them, in order of their names.
    """

    path: Location
    files: tuple[Location, ...]

    def sha256(self, tick: Callable[[int], None] | None = None) -> str:
        """The slide's content hash, 64 hex digits, over all of its files.

        Args:
            tick: told after each piece how many bytes it had.

        Raises:
            OSError: a file cannot be read.
            ValueError: the slide lies in a store; see `curatome.slides.opening.local_slide`.
        """
        here = [path for path in self.files if isinstance(path, Path)]
        if len(here) < len(self.files):
            raise ValueError(f"{self.path} must be copied to this machine to be hashed.")
        return files_sha256(here, tick)


def slide_id(sha256: str) -> str:
    """What a slide is known by: the first 16 digits of its content hash."""
    return sha256[:16]


def find_slides(paths: Sequence[str | Path]) -> list[SlideFiles]:
    """The slides that files, folders, globs and URLs of these stand for, each once.

    Folders are searched with everything below them, in the order of names; hidden files and
    folders and files of other kinds are passed over. A file that is named is taken whatever its
    extension is. The image files of a MIRAX, Hamamatsu VMS or VMU slide and the instances of a
    DICOM series in one folder make one slide.

    Raises:
        ProjectError: a path does not exist, or no slide was found there.
        StorageError: a store cannot be asked.
    """
    seen: set[Location] = set()
    found: list[SlideFiles] = []
    for path in paths:
        slides = _at(path)
        if not slides:
            known = " ".join(sorted(EXTENSIONS))
            raise ProjectError(
                f"no slide at {path}: nothing there ends in one of {known}. Check the path, or "
                "name a file itself to take it whatever its extension is."
            )
        for slide in slides:
            key = slide.path.resolve() if isinstance(slide.path, Path) else slide.path
            if key not in seen:
                seen.add(key)
                found.append(slide)
    return found


def _at(path: str | Path) -> list[SlideFiles]:
    place = located(path)
    if isinstance(place, str):
        return _in_store(place)
    if place.is_dir():
        return _in_folder(place)
    if place.is_file():
        return [slide_at(place)]
    if not glob.has_magic(str(place)):
        raise ProjectError(f"no slide at {path}: there is no such file or folder.")
    found = glob.glob(str(place), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute ones
    matches = [Path(match) for match in sorted(found)]
    if not matches:
        raise ProjectError(f"no slide at {path}: nothing matches this pattern.")
    # Among a pattern's files only those of known kinds are meant, unless it spells out others.
    files = [m for m in matches if m.is_file() and (_is_known(m) or place.suffix == m.suffix)]
    folders = [_in_folder(m) for m in matches if m.is_dir()]
    return _group(files) + [slide for slides in folders for slide in slides]


def _in_store(url: str) -> list[SlideFiles]:
    try:
        urls = find_objects(url)
    except MissingObject as error:
        raise ProjectError(f"no slide at {url}: {error}") from error
    if urls == [url]:
        return [slide_at(url)]
    base = len(url.rstrip("/").rpartition("/")[0])
    visible = [u for u in urls if not any(part.startswith(".") for part in u[base:].split("/"))]
    return _group(u for u in visible if _is_known(u) or _suffix(u) == _suffix(url))


def slide_at(path: Location) -> SlideFiles:
    """The slide of one named file, with the files that belong to it.

    Raises:
        OSError: its folder cannot be listed.
        StorageError: its store cannot be asked.
    """
    if _is_dicom(path):
        for main, files in series_of_folder(_dicom_files(path)):
            if path in files:
                return SlideFiles(main, files)
    return SlideFiles(path, tuple(sorted({path, *_companions(path)}, key=_parts)))


def _in_folder(folder: Path) -> list[SlideFiles]:
    return _group(path for path in _walk(folder) if _is_known(path))


def _walk(folder: Path) -> Iterator[Path]:
    """Visible files below a folder in the order of their names."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _is_known(path: Location) -> bool:
    return _suffix(path) in EXTENSIONS


def _suffix(path: Location) -> str:
    return PurePosixPath(file_name(path)).suffix.lower()


def _group(paths: Iterable[Location]) -> list[SlideFiles]:
    """Files as slides, where they belong together as one, in the order of the paths."""
    files = sorted(paths, key=_parts)
    dicom = [path for path in files if _is_dicom(path)]
    slides: list[SlideFiles] = []
    owned: set[Location] = set()
    for path in files:
        if not _is_dicom(path):
            companions = _companions(path)
            owned.update(companions)
            slides.append(SlideFiles(path, tuple(sorted({path, *companions}, key=_parts))))
    slides = [slide for slide in slides if slide.path not in owned]
    asked = set(dicom)
    for first in {_folder(path): path for path in reversed(dicom)}.values():
        for main, group in series_of_folder(_dicom_files(first), slides_only=True):
            if not asked.isdisjoint(group):
                slides.append(SlideFiles(main, group))
    return sorted(slides, key=lambda slide: _parts(slide.path))


def _parts(path: Location) -> tuple[str, ...]:
    return PurePosixPath(path).parts


def _folder(path: Location) -> str:
    return str(path).rpartition("/")[0] + "/"


def _beside(path: Location) -> dict[str, Location]:
    """Visible files in the folder of a file, by name."""
    if isinstance(path, Path):
        found: Iterable[Location] = (other for other in path.parent.iterdir() if other.is_file())
    else:
        found = objects_below(_folder(path), deep=False)
    return {name: p for p in found if not (name := file_name(p)).startswith(".")}


def _is_dicom(path: Location) -> bool:
    return _suffix(path) == ".dcm"


def _dicom_files(path: Location) -> list[Location]:
    """All DICOM files in the folder of one of them."""
    return [other for other in _beside(path).values() if _is_dicom(other)]


def _companions(path: Location) -> list[Location]:
    """The other files of a MIRAX, VMS or VMU slide."""
    suffix = _suffix(path)
    if suffix == ".mrxs":
        return _data_folder(path)
    if suffix in _SETS:
        return _listed_files(path)
    return []


def _data_folder(path: Location) -> list[Location]:
    if isinstance(path, Path):
        return list(_walk(path.with_suffix("")))
    try:
        return list(objects_below(path.rpartition(".")[0] + "/"))
    except MissingObject:
        return []


def _listed_files(path: Location) -> list[Location]:
    """Files in the same folder that an index of `key=value` lines names."""
    with opened(path) as stream:
        lines = stream.read(1 << 20).decode("latin-1").splitlines()
    values = (line.partition("=")[2].strip() for line in lines)
    names = {value for value in values if value and Path(value).name == value}
    beside = _beside(path)
    return [beside[name] for name in sorted(names) if name in beside]
