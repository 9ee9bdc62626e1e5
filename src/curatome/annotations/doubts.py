"""Which reading of a file's numbers fits its images.

A file may hold corners where its format has width and height, micrometers where it has pixels,
pixels of a lower level, y before x, or shapes of another image. Every function weighs what the
format defines against another reading by counting the shapes that lie on their image, and returns
a `Doubt` where the other one fits better, or None. Nothing is decided here: a person says yes.

A format calls `box_doubt` on numbers as they stand in the file, then `coordinate_doubts` on the
bounds of all shapes, then `level0` with the options that `settled` gives:

    ground = Ground.of(frames, index)
    found = coordinate_doubts(bounds, ground, options)
    points = level0(points, frame, settled(found, options))

Readings that give smaller numbers than the format's (µm, a lower level) leave no shape outside.
They show only in that all shapes lie in the upper left corner of their images, so that several
images, or shapes all over one image, are needed before anything is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from curatome.annotations.formats.base import Doubt, Frame, Options

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

XYWH, CORNERS = "xywh", "x1y1x2y2"
STRAIGHT, SWAPPED = "x, y", "y, x"
THIS, OTHER = "this image", "another image"

_MARGIN = 0.02
"""Part of an image's side by which a sound annotation may reach beyond it."""
_FEW = 0.01
"""Part of the shapes that may be wrong in a file that is read rightly."""
_ODDS = 1000.0
"""How much rarer the shapes must be under the format's reading before another is assumed."""
_GRID = 4


@dataclass(frozen=True)
class Ground:
    """The images under N shapes, NaN where unknown.

    Attributes:
        image: (N,) int, number of each shape's image, -1 if unknown.
        sizes: (N, 2) width and height, px.
        mpp: (N, 2) along x and y, µm/px.
        downsamples: (N, L) of the levels of each image.
    """

    image: npt.NDArray[np.int64]
    sizes: Floats
    mpp: Floats
    downsamples: Floats

    @classmethod
    def of(cls, frames: Sequence[Frame], index: Sequence[int] | npt.NDArray[np.int64]) -> Ground:
        """Of N shapes.

        Args:
            frames: the images.
            index: (N,) into `frames` for each shape, -1 where its image is unknown.
        """
        levels = max([len(frame.downsamples) for frame in frames], default=1)
        known = np.full((len(frames) + 1, 4 + levels), np.nan)
        for row, frame in zip(known, frames, strict=False):
            row[:4] = [frame.width, frame.height, frame.mpp_x or np.nan, frame.mpp_y or np.nan]
            row[4 : 4 + len(frame.downsamples)] = frame.downsamples
        image = np.asarray(index, np.int64)
        rows = known[image]
        return cls(image, rows[:, :2], rows[:, 2:4], rows[:, 4:])


def box_doubt(numbers: Floats, ground: Ground, defined: str = XYWH) -> Doubt | None:
    """Whether boxes are corners where the format has width and height, or the reverse.

    Args:
        numbers: (N, 4) as in the file, px.
        ground: their images.
        defined: what the format says, `xywh` or `x1y1x2y2`.
    """
    if not len(numbers):
        return None
    first, second = numbers[:, :2], numbers[:, 2:]
    known = ~np.isnan(ground.sizes).any(axis=1)
    on = {
        XYWH: _on(np.hstack([first, first + second]), ground.sizes, 0.0) & (second > 0).all(axis=1),
        CORNERS: _on(numbers, ground.sizes, 0.0) & (second > first).all(axis=1),
    }
    other = CORNERS if defined == XYWH else XYWH
    by_place = _better(on[other], on[defined])
    by_size = defined == XYWH and not by_place and _corners_by_size(first, second)
    if not (by_place or by_size):
        return None
    seen = "their image" if known.any() else "the upper left corner"
    evidence = (
        f"{_of(on[other], 'boxes')} lie on {seen} as {other}, {int(on[defined].sum()):,} as "
        f"{defined}"
    )
    if by_size:
        evidence += (
            f"; as {XYWH} every one of them would be larger than its distance from the image's "
            "edges"
        )
    return Doubt("box", other, defined, evidence + ".")


def coordinate_doubts(
    bounds: Floats, ground: Ground, options: Options, defined: str = "px"
) -> tuple[Doubt, ...]:
    """Whether unit, level, order of axes or image are others than the format's.

    The simplest reading that fits is assumed, so there is one doubt at most. What `options` say
    is taken as said and not doubted.

    Args:
        bounds: (N, 4) left, top, right, bottom of the shapes, in the file's numbers.
        ground: their images.
        options: what the user said.
        defined: the format's unit, `px` of level 0 or `um`.
    """
    sound = np.isfinite(bounds).all(axis=1) & ~np.isnan(ground.sizes).any(axis=1)
    if not sound.any():
        return ()
    bounds = bounds[sound]
    ground = Ground(*(part[sound] for part in vars(ground).values()))
    unit = options.unit or defined
    scaled = bounds * np.tile(_scale(unit, options.downsample or 1.0, ground.mpp), 2)
    if options.swap_axes:
        scaled = scaled[:, [1, 0, 3, 2]]
    found = (
        _axes(scaled, ground, options)
        or _scale_doubt(bounds, ground, options, defined)
        or _image(scaled, ground)
    )
    return () if found is None else (found,)


def size_doubt(stated: tuple[float, float], frame: Frame) -> Doubt | None:
    """Whether the image's size that a file states is that of the image.

    Args:
        stated: width and height, px, as in the file.
        frame: the image it is read for.
    """
    size = (float(frame.width), float(frame.height))
    if min(stated) <= 0 or _same(stated, size):
        return None
    said = f"the file states {stated[0]:,.0f} × {stated[1]:,.0f} px"
    evidence = f"{said}, {frame.name} has {frame.width:,} × {frame.height:,} px"
    for downsample in frame.downsamples[1:]:
        if _same((stated[0] * downsample, stated[1] * downsample), size, downsample):
            return _level(downsample, f"{evidence}, {downsample:g} times as many.")
    if _same(stated[::-1], size):
        return Doubt("axes", SWAPPED, STRAIGHT, f"{evidence}: width and height are swapped.")
    return Doubt("image", OTHER, THIS, f"{evidence}.")


def settled(found: Sequence[Doubt], options: Options) -> Options:
    """The options with the assumed reading of each doubt, where the user said nothing."""
    for doubt in found:
        if doubt.about == "box":
            options = replace(options, box=options.box or doubt.assumed)
        elif doubt.about == "unit":
            options = replace(options, unit=options.unit or doubt.assumed)
        elif doubt.about == "level" and options.downsample is None:
            options = replace(options, downsample=float(doubt.assumed.split()[-1]))
        elif doubt.about == "axes" and options.swap_axes is None:
            options = replace(options, swap_axes=doubt.assumed == SWAPPED)
    return options


def level0(points: Floats, frame: Frame, options: Options, defined: str = "px") -> Floats:
    """Points in level-0 pixels.

    Args:
        points: (N, 2) in the file's numbers.
        frame: their image.
        options: as `settled` gives them.
        defined: the format's unit, `px` or `um`.

    Raises:
        ValueError: they are in µm and the image's scale is not known.
    """
    mpp = np.array([[frame.mpp_x or np.nan, frame.mpp_y or np.nan]])
    unit = options.unit or defined
    if unit == "um" and np.isnan(mpp).any():
        raise ValueError(f"the scale of {frame.name} is not known. Give its mpp.")
    # An order of axes is about the numbers in the file; the scale is about the image's axes.
    ordered = points[:, ::-1] if options.swap_axes else points
    return np.asarray(ordered * _scale(unit, options.downsample or 1.0, mpp), np.float64)


def _scale(unit: str, downsample: float, mpp: Floats) -> Floats:
    return downsample / mpp if unit == "um" else np.full_like(mpp, downsample)


def _on(bounds: Floats, sizes: Floats, margin: float = _MARGIN) -> Flags:
    """(N,) bool: whether shapes lie on their image; true where its size is unknown."""
    slack = np.nan_to_num(sizes * margin, nan=np.inf)
    low = (bounds[:, :2] >= -slack).all(axis=1)
    high = (bounds[:, 2:] <= np.nan_to_num(sizes, nan=np.inf) + slack).all(axis=1)
    return np.asarray(low & high)


def _better(other: Flags, defined: Flags) -> bool:
    """Whether more shapes lie on their image by the other reading, against few that lose."""
    gained, lost = int((other & ~defined).sum()), int((defined & ~other).sum())
    return gained > max(9 * lost, _FEW * len(other))


def _corners_by_size(first: Floats, second: Floats) -> bool:
    """Whether numbers that could be sizes are too close to the positions to be such.

    Where width and height have nothing to do with x and y, and yet every box is larger than its
    distance from the edges, (w - x) / w is uniform on 0 to 1 (at least; sizes differ). Corners of
    small boxes give values near 0. Combined as Fisher's method does (Statistical Methods for
    Research Workers, 4th ed., 1932, section 21.1).
    """
    if not ((second > first).all() and (first >= 0).all()):
        return False
    part = ((second - first) / second).ravel()
    return bool(stats.chi2.sf(-2 * np.log(part).sum(), 2 * len(part)) < 1 / _ODDS)


def _axes(bounds: Floats, ground: Ground, options: Options) -> Doubt | None:
    if options.swap_axes is not None:
        return None
    straight = _on(bounds, ground.sizes)
    swapped = _on(bounds[:, [1, 0, 3, 2]], ground.sizes)
    if not _better(swapped, straight) or (~swapped).mean() > _FEW:
        return None
    evidence = (
        f"{_of(swapped, 'shapes')} lie on their image if y comes first, "
        f"{int(straight.sum()):,} if x does."
    )
    return Doubt("axes", SWAPPED, STRAIGHT, evidence)


def _scale_doubt(bounds: Floats, ground: Ground, options: Options, defined: str) -> Doubt | None:
    """The unit or level that fits better than the format's, if one does."""
    if options.unit is not None and options.downsample is not None:
        return None
    unit, downsample = options.unit or defined, options.downsample or 1.0
    if options.swap_axes:
        bounds = bounds[:, [1, 0, 3, 2]]
    usual = bounds * np.tile(_scale(unit, downsample, ground.mpp), 2)
    if options.unit is None:
        other = "um" if defined == "px" else "px"
        factor = _scale(other, downsample, ground.mpp)
        evidence = _closer(bounds * np.tile(factor, 2), usual, ground)
        if evidence:
            return Doubt("unit", other, defined, evidence.format(other=other, defined=defined))
    if options.downsample is None and unit == "px":
        for level in range(ground.downsamples.shape[1] - 1, 0, -1):
            factors = ground.downsamples[:, level]
            evidence = _closer(bounds * factors[:, None], usual, ground)
            if evidence:
                told = evidence.format(other=f"pixels of level {level}", defined="of level 0")
                return _level(float(np.median(factors)), told)
    return None


def _closer(scaled: Floats, usual: Floats, ground: Ground) -> str:
    """Why another scale fits better, with {other} and {defined} to fill in; empty if not."""
    if np.isnan(scaled).any():
        return ""
    on, before = _on(scaled, ground.sizes), _on(usual, ground.sizes)
    if _better(on, before) and (~on).mean() <= _FEW:
        told = f"{_of(on, 'shapes')} lie on their image as {{other}}"
        return f"{told}, {int(before.sum()):,} as {{defined}}."
    grown = float(np.median(scaled[:, 2:] / np.where(usual[:, 2:] == 0, np.nan, usual[:, 2:])))
    if grown <= 1 or (~on).mean() > _FEW:
        return ""
    images = np.unique(ground.image)
    places = sum(_places(scaled, ground, image) for image in images)
    if 2 * np.log(grown) * places < np.log(_ODDS):
        return ""
    corner = f"the upper left 1/{grown:.3g} of width and height of their {_count(len(images))}"
    return (
        f"all but {int((~on).sum()):,} of {len(on):,} shapes lie in {corner} as {{defined}}, and "
        "are spread over them as {other}."
    )


def _places(scaled: Floats, ground: Ground, image: np.int64) -> float:
    """In how many independent places shapes of an image lie, 0 if they do not reach across it.

    Shapes come in clusters, so that not they are counted but the cells of a 4 × 4 grid over the
    image that hold any; k cells count as √k places, as many as they are along an axis.
    """
    mine = ground.image == image
    part = (scaled[mine, :2] + scaled[mine, 2:]) / 2 / ground.sizes[mine]
    if part.max(axis=0).min() < 0.5:
        return 0.0
    cells = np.clip((part * _GRID).astype(int), 0, _GRID - 1)
    return float(np.sqrt(len(np.unique(cells, axis=0))))


def _image(bounds: Floats, ground: Ground) -> Doubt | None:
    """Whether the shapes were drawn on another image."""
    on = _on(bounds, ground.sizes)
    off = int((~on).sum())
    if off < max(1.0, 5 * _FEW * len(on)):
        return None
    worst = np.argmax((bounds[:, 2:] / ground.sizes).max(axis=1))
    (right, bottom), (width, height) = bounds[worst, 2:], ground.sizes[worst]
    evidence = (
        f"{off:,} of {len(on):,} shapes leave their image, and do so in every other reading. One "
        f"reaches ({right:,.0f}, {bottom:,.0f}) on an image of {width:,.0f} × {height:,.0f} px."
    )
    return Doubt("image", OTHER, THIS, evidence)


def _level(downsample: float, evidence: str) -> Doubt:
    return Doubt("level", f"downsample {downsample:.10g}", "downsample 1", evidence)


def _same(one: Sequence[float], other: Sequence[float], slack: float = 0.5) -> bool:
    return all(abs(a - b) <= slack for a, b in zip(one, other, strict=True))


def _of(flags: Flags, things: str) -> str:
    return f"{int(flags.sum()):,} of {len(flags):,} {things}"


def _count(images: int) -> str:
    return "image" if images == 1 else f"{images:,} images"
