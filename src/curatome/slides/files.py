"""Which files on disk are slides, and which of them belong together."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curatome.errors import ProjectError
from curatome.hashes import files_sha256
from curatome.slides.series import series_of_folder

_WHOLE_SLIDES = {".svs", ".svslide", ".ndpi", ".vms", ".vmu", ".scn", ".mrxs", ".bif", ".czi"}
_TIFF = {".tif", ".tiff", ".qptiff", ".btf", ".tf8"}
_IMAGES = {".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".bmp", ".webp"}
EXTENSIONS = frozenset({".dcm"} | _WHOLE_SLIDES | _TIFF | _IMAGES)
"""What is taken for a slide when a folder is searched; a file that is named is always taken."""

_SETS = (".vms", ".vmu")


@dataclass(frozen=True)
class SlideFiles:
    """One slide on disk.

    Attributes:
        path: the file to open.
        files: every file of the slide, `path` among them, in order of their names.
    """

    path: Path
    files: tuple[Path, ...]

    def sha256(self, tick: Callable[[int], None] | None = None) -> str:
        """The slide's content hash, 64 hex digits, over all of its files.

        Args:
            tick: told after each piece how many bytes it had.

        Raises:
            OSError: a file cannot be read.
        """
        return files_sha256(self.files, tick)


def slide_id(sha256: str) -> str:
    """What a slide is known by: the first 16 digits of its content hash."""
    return sha256[:16]


def find_slides(paths: Sequence[str | Path]) -> list[SlideFiles]:
    """The slides that files, folders and globs stand for, each once.

    Folders are searched with everything below them, in the order of names; hidden files and
    folders and files of other kinds are passed over. A file that is named is taken whatever its
    extension is. The image files of a MIRAX, Hamamatsu VMS or VMU slide and the instances of a
    DICOM series in one folder make one slide.

    Raises:
        ProjectError: a path does not exist, or no slide was found there.
    """
    seen: set[Path] = set()
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
            key = slide.path.resolve()
            if key not in seen:
                seen.add(key)
                found.append(slide)
    return found


def _at(path: str | Path) -> list[SlideFiles]:
    place = Path(path)
    if place.is_dir():
        return _in_folder(place)
    if place.is_file():
        return [_named(place)]
    if not glob.has_magic(str(path)):
        raise ProjectError(f"no slide at {path}: there is no such file or folder.")
    found = glob.glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute ones
    matches = [Path(match) for match in sorted(found)]
    if not matches:
        raise ProjectError(f"no slide at {path}: nothing matches this pattern.")
    # Among a pattern's files only those of known kinds are meant, unless it spells out others.
    files = [m for m in matches if m.is_file() and (_is_known(m) or place.suffix == m.suffix)]
    folders = [_in_folder(m) for m in matches if m.is_dir()]
    return _group(files) + [slide for slides in folders for slide in slides]


def _named(path: Path) -> SlideFiles:
    """The slide of one named file, with the files that belong to it."""
    if _is_dicom(path):
        for main, files in series_of_folder(_dicom_files(path.parent)):
            if path in files:
                return SlideFiles(main, files)
    return SlideFiles(path, tuple(sorted({path, *_companions(path)})))


def _in_folder(folder: Path) -> list[SlideFiles]:
    return _group(path for path in _walk(folder) if _is_known(path))


def _walk(folder: Path) -> Iterator[Path]:
    """Visible files below a folder in the order of their names."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _is_known(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS


def _group(paths: Iterable[Path]) -> list[SlideFiles]:
    """Files as slides, where they belong together as one, in the order of the paths."""
    files = sorted(paths, key=_parts)
    dicom = [path for path in files if _is_dicom(path)]
    slides: list[SlideFiles] = []
    owned: set[Path] = set()
    for path in files:
        if not _is_dicom(path):
            companions = _companions(path)
            owned.update(companions)
            slides.append(SlideFiles(path, tuple(sorted({path, *companions}))))
    slides = [slide for slide in slides if slide.path not in owned]
    asked = set(dicom)
    for folder in dict.fromkeys(path.parent for path in dicom):
        for main, group in series_of_folder(_dicom_files(folder), slides_only=True):
            if not asked.isdisjoint(group):
                slides.append(SlideFiles(main, group))
    return sorted(slides, key=lambda slide: _parts(slide.path))


def _parts(path: Path) -> tuple[str, ...]:
    return path.parts


def _is_dicom(path: Path) -> bool:
    return path.suffix.lower() == ".dcm"


def _dicom_files(folder: Path) -> list[Path]:
    visible = (p for p in folder.iterdir() if not p.name.startswith("."))
    return sorted(p for p in visible if _is_dicom(p) and p.is_file())


def _companions(path: Path) -> list[Path]:
    """The other files of a MIRAX, VMS or VMU slide."""
    suffix = path.suffix.lower()
    if suffix == ".mrxs":
        return list(_walk(path.with_suffix("")))
    if suffix in _SETS:
        return _listed_files(path)
    return []


def _listed_files(path: Path) -> list[Path]:
    """Files in the same folder that an index of `key=value` lines names."""
    with path.open("rb") as stream:
        lines = stream.read(1 << 20).decode("latin-1").splitlines()
    values = (line.partition("=")[2].strip() for line in lines)
    names = {value for value in values if value and Path(value).name == value}
    return [path.parent / name for name in sorted(names) if (path.parent / name).is_file()]
