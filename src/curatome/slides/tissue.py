"""Where on a slide there is tissue.

The glass is estimated from the slide itself (`glass.py`). A pixel's evidence is how much more it
absorbs than glass, looked at twice: pixel by pixel, which finds single cells and the walls of fat,
and averaged over 40 µm, which finds tissue too pale to rise above the noise of one pixel. What
passes a threshold must hang together with something clearer, gaps are closed, small holes filled,
and specks that lie alone are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curatome.protocol import TissueSettings
from curatome.slides.glass import Bools, Glass, Real, density, estimate_glass, padding, unscanned
from curatome.slides.overview import read_overview
from curatome.slides.readers.base import Pixels

if TYPE_CHECKING:
    from shapely.geometry import Polygon

__all__ = ["TissueMask", "find_tissue", "outline", "read_overview", "tissue_fraction"]

_FINE_FLOOR = 0.030  # OD; evidence a single pixel must have however quiet the glass is
_COARSE_FLOOR = 0.012  # OD; the same for the mean over 40 µm
_SIGMAS = 6.0
_AREA_SIGMAS = 4.0
_COARSE_UM = 40.0
_CLOSE_UM = 8.0
_COMPANY_UM = 400.0
_SEED_SHARE, _SEED_CAP = 0.15, 0.08


@dataclass(frozen=True)
class TissueMask:
    """Tissue of a slide on a grid that begins at the slide's corner.

    Attributes:
        mask: (H, W); True is tissue.
        step_x: level-0 px per mask pixel, left to right.
        step_y: level-0 px per mask pixel, top to bottom.
        facts: what was estimated; see `find_tissue`.
    """

    mask: npt.NDArray[np.bool_]
    step_x: float
    step_y: float
    facts: dict[str, float]


def find_tissue(
    overview: Pixels, mpp: float, settings: TissueSettings
) -> tuple[npt.NDArray[np.bool_], dict[str, float]]:
    """Tell tissue from glass.

    Args:
        overview: (H, W, 3) uint8.
        mpp: µm per overview pixel.
        settings: the protocol's; all areas in µm².

    Returns:
        The mask, (H, W), and the facts behind it: `glass_seen` (1 or 0), `glass_red`,
        `glass_green` and `glass_blue` (gray levels at the picture's center), `glass_share`,
        `glass_noise`, `glass_misfit`, `threshold_pixel`, `threshold_area`, `seed` (OD),
        `unscanned_share` and `tissue_share` (fractions of the picture).

    Raises:
        ValueError: the overview is not (H, W, 3), is empty, or mpp is not positive.
    """
    if overview.ndim != 3 or overview.shape[2] != 3 or not overview.size:
        raise ValueError(f"overview must be (H, W, 3) and not empty. Got {overview.shape}.")
    if not mpp > 0:
        raise ValueError(f"mpp must be positive. Got {mpp}.")
    planes = np.ascontiguousarray(np.moveaxis(overview, -1, 0))
    blank = unscanned(planes)
    od = density(planes)
    glass = estimate_glass(od, blank, padding(planes))
    glass.subtract_from(od)
    od[:, blank] = 0
    levels = _thresholds(glass, _typical(evidence(od)), _window(_COARSE_UM, mpp))
    mask = _detect(od, levels, settings.sensitivity, _window(_COARSE_UM, mpp))
    mask = _clean(mask, mpp, settings) & ~blank
    return mask, _facts(glass, levels, blank, mask)


def evidence(od: Real) -> Real:
    """How much more than glass a pixel absorbs, (H, W) OD.

    The channel that absorbs most, less half of the one that absorbs least: a stain takes away one
    part of the light, while dirt, shadow and a lamp's drift darken all parts alike and count half.

    Args:
        od: (3, H, W) optical density above glass.
    """
    high = np.maximum(np.maximum(od[0], od[1]), od[2])
    low = np.minimum(np.minimum(od[0], od[1]), od[2])
    high -= np.float32(0.5) * np.maximum(low, 0)
    return np.asarray(high, np.float32)


def _typical(fine: Real) -> float:
    """The median evidence of what surely is no glass, 0 if there is nothing."""
    sure = fine[fine > _FINE_FLOOR]
    return float(np.median(sure)) if sure.size else 0.0


def _thresholds(glass: Glass, typical: float, window: int) -> dict[str, float]:
    """Thresholds at sensitivity 1: floors, raised where the glass is noisy.

    The seeds, one of which each piece must hold, lie higher. That of a pixel also rises with the
    strength of the slide's own stain: a faint speck is dirt on a strongly stained slide, while a
    pale slide keeps all it has.
    """
    pixel = max(_FINE_FLOOR, _SIGMAS * float(np.hypot(glass.noise, glass.misfit)))
    area = max(_COARSE_FLOOR, _AREA_SIGMAS * float(np.hypot(glass.noise / window, glass.misfit)))
    strong = min(_SEED_SHARE * typical, _SEED_CAP)
    return {
        "threshold_pixel": pixel,
        "threshold_area": area,
        "seed_pixel": max(pixel, strong),
        "seed_area": 1.5 * area,
    }


def _detect(od: Real, levels: dict[str, float], sensitivity: float, window: int) -> Bools:
    """Pixels above a threshold that hang together with one above a seed.

    The evidence does not depend on the sensitivity, so that a higher one only ever adds tissue.
    """
    t = {name: np.float32(value / sensitivity) for name, value in levels.items()}
    fine = evidence(od)
    coarse = evidence(_local_mean(od, np.float32(2 * levels["threshold_area"]), window))
    weak = (fine > t["threshold_pixel"]) | (coarse > t["threshold_area"])
    strong = (fine > t["seed_pixel"]) | (coarse > t["seed_area"])
    return _connected_to(weak, strong)


def _local_mean(od: Real, limit: np.float32, window: int) -> Real:
    """Mean over a square window, after clipping.

    Clipping at twice the threshold keeps dark tissue from spilling over its border: half a window
    of it reaches the threshold exactly, as on a straight border it should. It also means that the
    mean reaches no threshold at a sensitivity of 0.5 or less; then single pixels alone decide.
    """
    from scipy.ndimage import uniform_filter1d

    clipped = np.clip(od, -limit, limit)
    for axis in (1, 2):
        clipped = uniform_filter1d(clipped, window, axis=axis, mode="nearest")
    return np.asarray(clipped, np.float32)


def _connected_to(weak: Bools, strong: Bools) -> Bools:
    labels, count = _label(weak)
    kept = np.zeros(count + 1, np.bool_)
    kept[labels[strong & weak]] = True
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def _clean(mask: Bools, mpp: float, settings: TissueSettings) -> Bools:
    if not mask.any():
        return mask
    mask = close_gaps(mask, max(1, round(_CLOSE_UM / mpp)))
    mask = fill_holes(mask, settings.max_hole_um2 / mpp**2)
    mask = drop_specks(mask, settings.min_area_um2 / mpp**2, _window(_COMPANY_UM, mpp))
    return widen(mask, settings.margin_um / mpp)


def close_gaps(mask: Bools, radius: int) -> Bools:
    """Close gaps up to twice `radius` pixels wide, so that broken walls of fat enclose again."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = 2 * radius + 1
    wide = maximum_filter(mask, size, mode="constant", cval=0)
    return np.asarray(minimum_filter(wide, size, mode="constant", cval=1), np.bool_)


def fill_holes(mask: Bools, max_area: float) -> Bools:
    """Fill holes of up to `max_area` pixels that do not touch the picture's border."""
    labels, count = _label(~mask, diagonal=False)
    fill = np.bincount(labels.ravel(), minlength=count + 1) <= max_area
    for border in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        fill[border] = False
    fill[0] = False
    return np.asarray(mask | fill[labels], np.bool_)


def drop_specks(mask: Bools, min_area: float, window: int) -> Bools:
    """Drop pieces under `min_area` pixels that lie alone.

    A piece is counted together with what lies around it in a square of `window` pixels: a lone
    grain of dust goes, one cell among many of a smear stays.
    """
    labels, count = _label(mask)
    kept = np.bincount(labels.ravel(), minlength=count + 1) >= min_area
    small = mask & ~kept[labels]
    rows, columns = np.nonzero(small)
    company = _box_sum(mask, rows, columns, window // 2)
    kept[labels[rows, columns][company >= min_area]] = True
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def widen(mask: Bools, radius: float) -> Bools:
    """Add all pixels whose center lies within `radius` pixels of a tissue pixel's center."""
    from scipy.ndimage import distance_transform_edt

    if radius <= 0 or not mask.any():
        return mask
    return np.asarray(distance_transform_edt(~mask) <= radius, np.bool_)


def outline(mask: TissueMask) -> list[Polygon]:
    """The borders of the tissue as polygons with holes, along pixel edges.

    Returns:
        Valid polygons in level-0 pixels, the largest first; their areas sum to that of the mask.
        Pixels that only touch at a corner belong to different polygons or rings.
    """
    from shapely import box, union_all
    from shapely.affinity import scale

    labels, count = _label(mask.mask, diagonal=False)
    runs: list[list[Any]] = [[] for _ in range(count)]
    for row, start, stop in _runs(mask.mask):
        runs[labels[row, start] - 1].append(box(start, row, stop, row + 1))
    polygons = [union_all(boxes).simplify(0) for boxes in runs]
    polygons.sort(key=lambda polygon: -polygon.area)
    steps = {"xfact": mask.step_x, "yfact": mask.step_y, "origin": (0, 0)}
    return [scale(polygon, **steps) for polygon in polygons]


def _runs(mask: Bools) -> npt.NDArray[np.int64]:
    """Rows of (row, first column, column after the last) for every run of tissue."""
    change = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, starts = np.nonzero(change == 1)
    stops = np.nonzero(change == -1)[1]
    return np.stack([rows, starts, stops], axis=1)


def tissue_fraction(
    mask: TissueMask, x0: npt.ArrayLike, y0: npt.ArrayLike, x1: npt.ArrayLike, y1: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Exact share of tissue in rectangles; what lies off the mask counts as none.

    The double integral of the mask is linear between the corners of its pixels, so one
    summed-area table (Crow 1984, doi:10.1145/800031.808600) read with bilinear interpolation
    gives the exact area.

    Args:
        mask: the tissue.
        x0: left edges, level-0 px, of any shape that broadcasts with the others.
        y0: top edges.
        x1: right edges.
        y1: bottom edges.

    Returns:
        Fractions from 0 to 1, of the broadcast shape; 0 for a rectangle without area.
    """
    left, top, right, bottom = np.broadcast_arrays(
        *(np.asarray(edge, np.float64) for edge in (x0, y0, x1, y1))
    )
    table = np.zeros(np.add(mask.mask.shape, 1), np.int32)
    inner = table[1:, 1:]
    np.cumsum(mask.mask, axis=0, dtype=np.int32, out=inner)
    np.cumsum(inner, axis=1, out=inner)

    def upto(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return _bilinear(table, y / mask.step_y, x / mask.step_x)

    inside = upto(right, bottom) - upto(left, bottom) - upto(right, top) + upto(left, top)
    area = (right - left) * (bottom - top) / (mask.step_x * mask.step_y)
    share = np.divide(inside, area, out=np.zeros_like(area), where=area > 0)
    return np.asarray(np.clip(share, 0, 1), np.float64)


def _bilinear(
    table: npt.NDArray[np.int32], rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    rows = np.clip(rows, 0, table.shape[0] - 1)
    columns = np.clip(columns, 0, table.shape[1] - 1)
    r = np.minimum(rows.astype(np.int64), table.shape[0] - 2)
    c = np.minimum(columns.astype(np.int64), table.shape[1] - 2)
    u, v = rows - r, columns - c
    above = table[r, c] * (1 - v) + table[r, c + 1] * v
    below = table[r + 1, c] * (1 - v) + table[r + 1, c + 1] * v
    return np.asarray(above * (1 - u) + below * u, np.float64)


def _label(mask: Bools, diagonal: bool = True) -> tuple[npt.NDArray[np.int32], int]:
    from scipy.ndimage import label

    labels, count = label(mask, np.ones((3, 3))) if diagonal else label(mask)
    return labels, int(count)


def _box_sum(
    mask: Bools, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], radius: int
) -> npt.NDArray[np.int64]:
    """Tissue pixels within `radius` rows and columns of each given pixel."""
    height, width = mask.shape
    table = np.zeros((height + 1, width + 1), np.int32)
    np.cumsum(np.cumsum(mask, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
    top, bottom = np.maximum(rows - radius, 0), np.minimum(rows + radius + 1, height)
    left, right = np.maximum(columns - radius, 0), np.minimum(columns + radius + 1, width)
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    return np.asarray(total, np.int64)


def _window(length_um: float, mpp: float) -> int:
    """An odd number of pixels, so that the window has a center; 3 at least."""
    return 2 * max(1, round(length_um / mpp / 2 - 0.5)) + 1


def _facts(glass: Glass, levels: dict[str, float], blank: Bools, mask: Bools) -> dict[str, float]:
    color = 256 * 10 ** -glass.coefficients[0] - 1
    return {
        "glass_seen": float(glass.seen),
        "glass_red": float(color[0]),
        "glass_green": float(color[1]),
        "glass_blue": float(color[2]),
        "glass_share": glass.share,
        "glass_noise": glass.noise,
        "glass_misfit": glass.misfit,
        **levels,
        "unscanned_share": float(blank.mean()),
        "tissue_share": float(mask.mean()),
    }
