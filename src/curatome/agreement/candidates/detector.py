"""Train on annotated tiles, one at a time; find what looks alike and is not annotated."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.spatial import cKDTree

from curatome.agreement.candidates.blobs import find_blobs
from curatome.agreement.candidates.features import features
from curatome.agreement.candidates.logistic import Logistic, fit_logistic
from curatome.errors import AnnotationError
from curatome.stain import HE, separate
from curatome.tables import Column, TableSpec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

CANDIDATES = TableSpec(
    "candidates",
    (
        Column("image", pa.string(), "slide or image"),
        Column("case", pa.string(), "patient or block"),
        Column("x_um", pa.float64(), "center from the left edge of the image", "µm"),
        Column("y_um", pa.float64(), "center from the top edge of the image", "µm"),
        Column("diameter_um", pa.float64(), "size at which it stands out most", "µm"),
        Column("probability", pa.float64(), "that a reader would annotate it as this class"),
        Column("annotated", pa.bool_(), "whether any annotation lies there"),
    ),
)
_FOLDS = 3
_WORKING_MPP = 0.5
_NEGATIVES = 20_000
"""Blobs without annotation that a fold keeps for training, drawn at random from all."""


def _no_points() -> Floats:
    return np.zeros((0, 2))


@dataclass(frozen=True, eq=False)
class Look:
    """The blobs of a piece of an image, whatever is sought among them.

    Attributes:
        points: (N, 2) x and y of their middles, from the left and top edge of the image, µm.
        diameter_um: (N,) the size at which each stands out most.
        features: (N, F) of `features`.
    """

    points: Floats
    diameter_um: Floats
    features: npt.NDArray[np.float32]


def look_at(
    pixels: npt.NDArray[np.uint8],
    mpp: float,
    corner_um: tuple[float, float] = (0.0, 0.0),
    vectors: Floats = HE,
) -> Look:
    """Find the blobs of a piece of an image.

    Args:
        pixels: (H, W, 3).
        mpp: µm per pixel.
        corner_um: x and y of its corner on the image, µm.
        vectors: as for `train`.
    """
    pixels, mpp = _working(pixels, mpp)
    amounts = separate(pixels, vectors)
    blobs = find_blobs(amounts[..., 0], mpp)
    corner = np.asarray(corner_um, np.float64)
    points: Floats = (np.stack([blobs.column, blobs.row], axis=1) + 0.5) * mpp + corner
    return Look(points, blobs.diameter_um, features(pixels, amounts, blobs, mpp))


@dataclass(frozen=True, eq=False)
class Tile:
    """A piece of an image with what is annotated on it.

    Attributes:
        image: name of the slide or image.
        case: patient or block.
        pixels: (H, W, 3) uint8; not needed where `look` is given.
        mpp: µm per pixel.
        marks_um: (M, 2) x and y of annotated objects of the class that is sought, from the left
            and top edge of the image, µm.
        others_um: (L, 2) the same of all other annotated objects.
        corner_um: x and y of the tile's corner on the image, µm.
        look: `look_at` of its pixels, which tiles of several classes share; None: is made.
    """

    image: str
    case: str
    pixels: npt.NDArray[np.uint8] | None
    mpp: float
    marks_um: Floats = field(default_factory=_no_points)
    others_um: Floats = field(default_factory=_no_points)
    corner_um: tuple[float, float] = (0.0, 0.0)
    look: Look | None = None


@dataclass(frozen=True, eq=False)
class Detector:
    """A trained detector: one model for each fold of cases, which has not seen that fold.

    Attributes:
        models: of the folds.
        vectors: (3, 3) of `stain.unit_vectors`, the stain of nuclei first.
        radius_um: how far an annotation may lie from its blob.
    """

    models: tuple[Logistic, ...]
    vectors: Floats
    radius_um: float

    def read(self, tile: Tile) -> pa.Table:
        """All blobs of a tile as table `CANDIDATES`, those that are annotated among them."""
        seen = _survey(tile, self.vectors, self.radius_um)
        model = self.models[_fold(tile.case, len(self.models))]
        count = len(seen.look.points)
        return CANDIDATES.from_columns(
            {
                "image": [tile.image] * count,
                "case": [tile.case] * count,
                "x_um": seen.look.points[:, 0],
                "y_um": seen.look.points[:, 1],
                "diameter_um": seen.look.diameter_um,
                "probability": model.probability(seen.look.features),
                "annotated": seen.annotated,
            }
        )


@dataclass(frozen=True, eq=False)
class _Seen:
    look: Look
    sought: Flags
    beside: Flags
    annotated: Flags


def _survey(tile: Tile, vectors: Floats, radius_um: float) -> _Seen:
    look = tile.look
    if look is None:
        assert tile.pixels is not None
        look = look_at(tile.pixels, tile.mpp, tile.corner_um, vectors)
    sought = _nearest(look.points, tile.marks_um, radius_um)
    beside = _near(look.points, tile.marks_um, radius_um)
    annotated = beside | _near(look.points, tile.others_um, radius_um)
    return _Seen(look, sought, beside, annotated)


def _working(pixels: npt.NDArray[np.uint8], mpp: float) -> tuple[npt.NDArray[np.uint8], float]:
    """Pixels of at most about half a µm: finer ones are averaged by whole steps."""
    step = int(_WORKING_MPP / mpp + 0.1)
    if step < 2:
        return pixels, mpp
    rows, columns = (n // step for n in pixels.shape[:2])
    cut = pixels[: rows * step, : columns * step]
    mean = cut.reshape(rows, step, columns, step, 3).mean(axis=(1, 3), dtype=np.float32)
    return np.rint(mean).astype(np.uint8), mpp * step


def _nearest(points: Floats, marks: Floats, radius: float) -> Flags:
    """(N,) which points are the nearest to a mark, within a radius."""
    out = np.zeros(len(points), bool)
    if len(points) and len(marks):
        distance, index = cKDTree(points).query(marks, distance_upper_bound=radius)
        out[index[np.isfinite(distance)]] = True
    return out


def _near(points: Floats, marks: Floats, radius: float) -> Flags:
    """(N,) which points have a mark within a radius."""
    if not len(marks) or not len(points):
        return np.zeros(len(points), bool)
    distance, _ = cKDTree(marks).query(points, distance_upper_bound=radius)
    return np.asarray(np.isfinite(distance))


def _fold(case: str, folds: int) -> int:
    return zlib.crc32(case.encode()) % folds


@dataclass(eq=False)
class _Kept:
    """Examples of a fold: all positives, and a sample of the negatives."""

    positive: list[npt.NDArray[np.float32]]
    negative: list[npt.NDArray[np.float32]]
    keys: list[Floats]

    def take(self, seen: _Seen, rng: np.random.Generator) -> None:
        """Add a tile; of the negatives those with the smallest random keys stay."""
        self.positive.append(seen.look.features[seen.sought])
        # A second blob of an object that is sought is no example of anything.
        away = ~seen.beside
        self.negative.append(seen.look.features[away])
        self.keys.append(rng.random(int(away.sum())))
        if sum(map(len, self.keys)) > 2 * _NEGATIVES:
            self._thin()

    def _thin(self) -> None:
        keys, rows = np.concatenate(self.keys), np.concatenate(self.negative)
        kept = np.argsort(keys, kind="stable")[:_NEGATIVES]
        self.keys, self.negative = [keys[kept]], [rows[kept]]


def train(
    tiles: Iterable[Tile],
    *,
    vectors: Floats = HE,
    radius_um: float = 4.0,
    folds: int = _FOLDS,
    seed: int = 0,
) -> Detector:
    """Train on annotated tiles; memory does not grow with their number.

    Blobs nearest to a mark are positive, all others negative, also those that a reader missed.
    So probabilities are those of being annotated, lower than of being of the class, in the same
    order if misses are random (Elkan & Noto 2008, 10.1145/1401890.1401920).

    Args:
        tiles: read once, one at a time. Negatives beyond 20,000 in a fold are sampled.
        vectors: stains, that of nuclei first: `stain.HE`, `stain.H_DAB`, or estimated.
        radius_um: how far a mark may lie from the middle of its blob.
        folds: of cases; a tile is scored by the model of its fold, trained on the others.
        seed: decides which negatives are kept.

    Raises:
        AnnotationError: some folds have no marked blob, or none without a mark.
    """
    rng = np.random.default_rng(seed)
    kept = [_Kept([], [], []) for _ in range(folds)]
    for tile in tiles:
        kept[_fold(tile.case, folds)].take(_survey(tile, vectors, radius_um), rng)
    return Detector(
        tuple(_model([k for k in range(folds) if k != left], kept) for left in range(folds)),
        vectors,
        radius_um,
    )


def _model(folds: Sequence[int], kept: Sequence[_Kept]) -> Logistic:
    positive = [part for k in folds for part in kept[k].positive]
    negative = [part for k in folds for part in kept[k].negative]
    rows = positive + negative
    count = sum(map(len, positive))
    if count == 0 or sum(map(len, negative)) == 0:
        raise AnnotationError(
            "the detector of missed objects needs annotated objects of the class, and tissue "
            "without them, in at least two folds of cases. Annotate more cases first."
        )
    x = np.concatenate(rows)
    return fit_logistic(x, np.arange(len(x)) < count)


def ranked(tables: Iterable[pa.Table], least: float = 0.0, most: int | None = None) -> pa.Table:
    """What to look at: candidates that nobody annotated, the likeliest first.

    Args:
        tables: of `Detector.read`.
        least: probability below which a candidate is left out.
        most: how many to keep.
    """
    kept = CANDIDATES.from_rows([])
    for table in tables:
        free = pc.and_(pc.invert(table["annotated"]), pc.greater_equal(table["probability"], least))
        kept = pa.concat_tables([kept, table.filter(free)]).sort_by([("probability", "descending")])
        kept = kept if most is None else kept.slice(0, most)
    return kept
