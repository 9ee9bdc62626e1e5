"""Pictures with known pixels, written in several formats, and the real slides."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

DATA = Path(__file__).parents[3] / "shared" / "data" / "slides"


def real_slide(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the real slide {name} is not in {DATA}")
    return path


def picture(width: int, height: int, seed: int = 7) -> np.ndarray:
    """(H, W, 3) uint8 of which no two places look alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def halved(pixels: np.ndarray, n: int) -> np.ndarray:
    """Every n-th pixel, as many whole times as n fits, like a scanner that cuts the rest off."""
    return np.ascontiguousarray(pixels[: len(pixels) // n * n : n, : pixels.shape[1] // n * n : n])


def write_pyramid(path: Path, levels: list[np.ndarray], **options: object) -> Path:
    """A tiled TIFF whose coarser levels are SubIFDs of the first."""
    settings = {"photometric": "rgb", "tile": (64, 48), "compression": "zlib", **options}
    metadata = settings.pop("metadata", None)
    with tifffile.TiffWriter(path, ome=path.name.endswith(".ome.tif")) as out:
        out.write(levels[0], subifds=len(levels) - 1, metadata=metadata, **settings)
        for level in levels[1:]:
            out.write(level, subfiletype=1, metadata=None, **settings)
    return path
