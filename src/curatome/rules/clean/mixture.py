"""Whether part of a region looks like what lies around it rather than like the rest of it.

Region and surroundings are cut into blocks. Fisher's discriminant tells the blocks of the region
from those around it; blocks of the region that fall on the other side are left out, and it is
fitted again, until nothing changes. What is left out and hangs together is another tissue, if both
kinds are two populations: their means m and standard deviations s are
D = |m1 - m2| / √((s1² + s2²) / 2) apart (Ashman, Bird & Zepf 1994, 10.1086/117248).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curatome.rules.clean.likeness import Flags, Floats, Pixels
from curatome.stain import separate

_FULL = 0.9
"""Part of a block that must lie within the region, or outside of it."""
_NEIGHBORS = 3
"""Blocks along each axis over which features are averaged: single glands and vessels blur."""
_GLASS = 0.06
"""Optical density of a block below which it shows no tissue."""
_RIDGE = 0.05
"""Added to the covariance, as a part of its mean variance: blocks are few."""
_LEAST = 24
"""Blocks in a region, and around it, that can be judged."""
_ROUNDS = 10


@dataclass(frozen=True)
class Mixture:
    """A region against its surroundings.

    Attributes:
        apart: Ashman's D between the region's own tissue and what lies around it.
        foreign: the largest connected piece of the region that looks like what lies around, as a
            part of the region.
        blocks: of the region that were compared.
    """

    apart: float
    foreign: float
    blocks: int


def mixture(rgb: Pixels, mask: Flags, block: int) -> Mixture | None:
    """How much of a region looks like its surroundings.

    Args:
        rgb: (H, W, 3) uint8, the region and what lies around it.
        mask: (H, W) within the region.
        block: edge of a block, px.

    Returns:
        None where there are too few blocks of either.
    """
    features, share = _blocks(rgb, mask, block)
    tissue = features[..., :2].sum(axis=-1) >= _GLASS
    inside, around = (share >= _FULL) & tissue, (share <= 1 - _FULL) & tissue
    if min(inside.sum(), around.sum()) < _LEAST:
        return None
    inner, outer = _smoothed(features, inside), _smoothed(features, around)
    own, ground = inside, outer[around]
    value, edge = _discriminant(inner[own], ground)
    for _ in range(_ROUNDS):
        kept = inside & (inner @ value > edge)
        if kept.sum() < _LEAST // 2 or (kept == own).all():
            break
        own = kept
        value, edge = _discriminant(inner[own], ground)
    first, second = inner[own] @ value, ground @ value
    spread = np.sqrt((first.var() + second.var()) / 2)
    apart = float(abs(first.mean() - second.mean()) / max(spread, 1e-9))
    count = int(inside.sum())
    return Mixture(apart, _largest_piece(inside & ~own) / count, count)


def _blocks(rgb: Pixels, mask: Flags, block: int) -> tuple[Floats, Floats]:
    """Means and spreads of both stains in each block, (R, C, 4), and its part in the region."""
    rows, columns = mask.shape[0] // block, mask.shape[1] // block
    cut = np.s_[: rows * block, : columns * block]
    stains = separate(rgb[cut])[..., :2]
    tiled = stains.reshape(rows, block, columns, block, 2).swapaxes(1, 2).astype(np.float64)
    share = mask[cut].reshape(rows, block, columns, block).mean(axis=(1, 3))
    return np.concatenate([tiled.mean(axis=(2, 3)), tiled.std(axis=(2, 3))], axis=-1), share


def _smoothed(features: Floats, where: Flags) -> Floats:
    """Means over neighboring blocks of one kind."""
    from scipy.ndimage import uniform_filter

    def over(values: Floats) -> Floats:
        return np.asarray(uniform_filter(values, _NEIGHBORS, mode="constant"))

    many = np.maximum(over(where.astype(float)), 1e-9)
    held = [over(np.where(where, features[..., k], 0.0)) / many for k in range(features.shape[-1])]
    return np.stack(held, axis=-1)


def _discriminant(own: Floats, ground: Floats) -> tuple[Floats, float]:
    """Direction in which a region exceeds its surroundings, and the value halfway."""
    within = (np.cov(own.T) + np.cov(ground.T)) / 2
    ridge = _RIDGE * np.trace(within) / len(within) * np.eye(len(within))
    way = np.linalg.solve(within + ridge, own.mean(axis=0) - ground.mean(axis=0))
    return way, float(way @ (own.mean(axis=0) + ground.mean(axis=0)) / 2)


def _largest_piece(part: Flags) -> int:
    from scipy.ndimage import label

    pieces, many = label(part)
    return int(np.bincount(pieces.ravel())[1:].max()) if many else 0
