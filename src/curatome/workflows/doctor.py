"""`curatome doctor`: does this installation work, down to the decoders?"""

from __future__ import annotations

import io
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from curatome import __version__
from curatome.durable import write_file
from curatome.jobs import Limits, Task, run_tasks
from curatome.slides.readers.base import Pixels, Region

_SIDE = 64


@dataclass(frozen=True)
class Check:
    """One thing that must work.

    Attributes:
        name: what was tried.
        ok: whether it works.
        detail: what was seen.
        remedy: what to do if it does not work.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def examine(folder: Path) -> Iterator[Check]:
    """Try everything that a build needs, one check after the other.

    Args:
        folder: where builds would be written.
    """
    folder = folder.resolve()
    for name, remedy, examination in _CHECKS:
        # A front door of its own: whatever fails here is the answer.
        try:
            yield Check(name, True, examination(folder))
        except Exception as error:
            yield Check(name, False, f"{type(error).__name__}: {error}", remedy)


def _python(_folder: Path) -> str:
    return f"Curatome {__version__}, Python {platform.python_version()}, {platform.system()}"


def _openslide(_folder: Path) -> str:
    import openslide

    return f"OpenSlide {openslide.__library_version__} ({version('openslide-python')})"


def _picture() -> Pixels:
    ramp = np.linspace(60, 220, _SIDE, dtype=np.uint8)
    return np.stack([np.tile(ramp, (_SIDE, 1)), np.tile(ramp[:, None], (1, _SIDE))] * 2, -1)[
        ..., :3
    ]


def _jpeg(_folder: Path) -> str:
    import simplejpeg

    picture = np.ascontiguousarray(_picture())
    back = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(picture, quality=95))
    _same(picture, back, 12)
    return f"simplejpeg {version('simplejpeg')}"


def _jpeg2000(_folder: Path) -> str:
    import imagecodecs

    picture = np.ascontiguousarray(_picture())
    _same(picture, imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(picture, level=0)), 2)
    _same(picture, imagecodecs.png_decode(imagecodecs.png_encode(picture)), 0)
    return f"imagecodecs {version('imagecodecs')}, with JPEG 2000 and PNG"


def _tiff(_folder: Path) -> str:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, _picture(), tile=(16, 16), photometric="rgb")
    _same(_picture(), tifffile.imread(io.BytesIO(stream.getvalue())), 0)
    return f"tifffile {version('tifffile')}"


def _resampling(_folder: Path) -> str:
    from curatome.slides.resample import resample

    out = np.empty((_SIDE // 2, _SIDE // 2, 3), np.uint8)
    resample(Region(np.ascontiguousarray(_picture()), 0, 0, 1, 1), 0, 0, (2.0, 2.0), out)
    means = _picture().reshape(_SIDE // 2, 2, _SIDE // 2, 2, 3).mean(axis=(1, 3))
    _same(means, out, 1)
    return f"compiled by numba {version('numba')}"


def _children(_folder: Path) -> str:
    task = Task("version", "platform:python_version")
    outcome = next(iter(run_tasks([task], limits=Limits(silence_seconds=60))))
    if outcome.failure is not None:
        raise RuntimeError(str(outcome.failure))
    if not sys.platform.startswith("linux"):
        return "supervised children start; their memory is limited on Linux only"
    return "supervised children start, with a deadline and a memory limit"


def _disk(folder: Path) -> str:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        write_file(Path(scratch) / "probe", b"x" * 4096)
    free = shutil.disk_usage(folder).free
    if free < 1 << 30:
        raise RuntimeError(f"only {free / 1e9:.2f} GB are free at {folder}")
    return f"{free / 1e9:.0f} GB free at {folder}"


def _machine(_folder: Path) -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} cores, {pages / 1e9:.0f} GB of memory"


def _same(wanted: object, found: object, tolerance: int) -> None:
    apart = np.abs(np.asarray(wanted, float) - np.asarray(found, float)).max()
    if apart > tolerance:
        raise RuntimeError(f"pixels come back {apart:g} gray levels off")


_REINSTALL = "Install Curatome again in a fresh virtual environment: pip install curatome."
_CHECKS: tuple[tuple[str, str, Callable[[Path], str]], ...] = (
    ("Python", "", _python),
    ("Machine", "", _machine),
    ("Slides", "pip install --force-reinstall openslide-bin openslide-python", _openslide),
    ("JPEG", _REINSTALL, _jpeg),
    ("JPEG 2000, PNG", _REINSTALL, _jpeg2000),
    ("TIFF", _REINSTALL, _tiff),
    ("Resampling", _REINSTALL, _resampling),
    ("Children", "Allow this account to start processes (ulimit -u).", _children),
    ("Disk", "Free some space, or build in another folder.", _disk),
)
