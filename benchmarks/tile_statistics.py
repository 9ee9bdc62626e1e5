"""Numbers of one H&E tile that say how it looks: color, stains, spectrum, texture.

All are computed alike for real and synthetic tiles. Optical density is -log10 of gray level over
255. Stains are separated with the vectors of Ruifrok and Johnston (Anal Quant Cytol Histol 2001,
23:291) and their directions estimated after Macenko et al. (ISBI 2009,
10.1109/ISBI.2009.5193250).
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

STAINED = 0.10
"""Mean optical density above which a pixel is tissue."""
RUIFROK = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]])
"""Unit vectors of hematoxylin, eosin and residual (DAB) in red, green, blue."""
PERIODS = (2, 4, 8, 16, 32, 64)
"""Borders of the spectrum's octaves, px per cycle."""
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def density(tile: Pixels) -> Floats:
    """Optical density (H, W, 3) of an (H, W, 3) uint8 tile."""
    out: Floats = -np.log10(np.clip(tile, 1, None) / 255.0)
    return out


def tissue_share(tile: Pixels) -> float:
    """Share of pixels that are stained."""
    return float((density(tile).mean(axis=2) > STAINED).mean())


def macenko(values: Floats) -> Floats | None:
    """Unit vectors (2, 3) of hematoxylin and eosin; None where too little is stained.

    Args:
        values: (N, 3) optical densities.
    """
    stained = values[values.mean(axis=1) > STAINED]
    if len(stained) < 500:
        return None
    _, axes = np.linalg.eigh(np.cov(stained.T))
    plane = axes[:, [2, 1]].T
    plane *= np.where(plane.sum(axis=1, keepdims=True) < 0, -1, 1)
    turn = np.arctan2(stained @ plane[1], stained @ plane[0])
    ends = np.quantile(turn, [0.01, 0.99])
    found = np.cos(ends)[:, None] * plane[0] + np.sin(ends)[:, None] * plane[1]
    out: Floats = found[np.argsort(-found[:, 0])]
    return out


def angle(a: Floats, b: Floats) -> float:
    """Degrees between two vectors."""
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def spectrum(gray: Floats) -> tuple[Floats, Floats]:
    """Radially averaged power spectrum of a gray tile: frequency (cycles/px) and power.

    The mean is taken off and a Hann window laid over, so that borders do not leak.
    """
    window = np.outer(np.hanning(gray.shape[0]), np.hanning(gray.shape[1]))
    windowed = (gray - np.average(gray, weights=window)) * window
    power = np.abs(np.fft.fft2(windowed)) ** 2 / (window**2).sum()
    rows, columns = (np.fft.fftfreq(n) for n in gray.shape)
    radius = np.hypot(rows[:, None], columns[None, :])
    ring = np.rint(radius * min(gray.shape)).astype(int).ravel()
    counts = np.bincount(ring)
    mean = np.bincount(ring, power.ravel()) / counts
    last = min(gray.shape) // 2
    return np.arange(1, last + 1) / min(gray.shape), mean[1 : last + 1]


def _color(tile: Pixels, od: Floats) -> dict[str, float]:
    out = {}
    for channel, name in enumerate("RGB"):
        plane = tile[..., channel].astype(float)
        out[f"{name} mean"], out[f"{name} sd"] = plane.mean(), plane.std()
        out[f"OD {name} mean"], out[f"OD {name} sd"] = (
            od[..., channel].mean(),
            od[..., channel].std(),
        )
    high, low = tile.max(axis=2).astype(float), tile.min(axis=2).astype(float)
    saturation = (high - low) / np.maximum(high, 1)
    red, green, blue = od.mean(axis=(0, 1))
    out["saturation mean"], out["saturation sd"] = saturation.mean(), saturation.std()
    mean = tile.reshape(-1, 3).mean(axis=0)
    turn = np.arctan2(np.sqrt(3) * (mean[1] - mean[2]), 2 * mean[0] - mean[1] - mean[2])
    out["hue (°)"] = float(np.degrees(turn))
    out["OD red share"] = red / max(red + green + blue, 1e-6)
    out["OD blue share"] = blue / max(red + green + blue, 1e-6)
    return out


def _stains(od: Floats) -> dict[str, float]:
    amounts = od.reshape(-1, 3) @ np.linalg.inv(RUIFROK)
    out = {
        "hematoxylin mean": amounts[:, 0].mean(),
        "hematoxylin sd": amounts[:, 0].std(),
        "eosin mean": amounts[:, 1].mean(),
        "eosin sd": amounts[:, 1].std(),
        "H-E correlation": float(np.corrcoef(amounts[:, 0], amounts[:, 1])[0, 1]),
    }
    found = macenko(od.reshape(-1, 3))
    first, second = (RUIFROK[0], RUIFROK[1]) if found is None else found
    out["H to Ruifrok H (°)"] = angle(first, RUIFROK[0])
    out["E to Ruifrok E (°)"] = angle(second, RUIFROK[1])
    out["H to E (°)"] = angle(first, second)
    return out


def _texture(od: Floats) -> dict[str, float]:
    gray = od @ _LUMINANCE
    frequency, power = spectrum(gray)
    whole = (frequency >= 1 / PERIODS[-1]) & (frequency <= 1 / PERIODS[0])
    # Octaves weigh alike: power is averaged in eighths of an octave before the line is laid.
    bins = np.floor(8 * np.log2(frequency[whole])).astype(int)
    x, y = np.log10(frequency[whole]), np.log10(power[whole] + 1e-12)
    middle = [(x[bins == b].mean(), y[bins == b].mean()) for b in np.unique(bins)]
    slope = float(np.polyfit(*np.array(middle).T, 1)[0])
    out = {"spectrum slope": slope}
    energy = power * frequency
    for short, long in itertools.pairwise(PERIODS):
        band = (frequency > 1 / long) & (frequency <= 1 / short)
        out[f"log energy {short}-{long} px"] = float(np.log10(energy[band].sum() + 1e-9))
    spread = gray.std() + 1e-9
    centered = (gray - gray.mean()) / spread
    out["OD skewness"] = float((centered**3).mean())
    out["OD kurtosis"] = float((centered**4).mean())
    down, right = np.gradient(gaussian_filter(gray, 1.0))
    tensor = [gaussian_filter(p, 6.0) for p in (down * down, right * right, down * right)]
    ridge = np.hypot(tensor[0] - tensor[1], 2 * tensor[2]) / (tensor[0] + tensor[1] + 1e-9)
    out["anisotropy"] = float(ridge.mean())
    local = gaussian_filter(gray**2, 4.0) - gaussian_filter(gray, 4.0) ** 2
    out["local sd unevenness"] = float(np.sqrt(np.clip(local, 0, None)).std() / spread)
    return out


def statistics(tile: Pixels) -> dict[str, float]:
    """All numbers of an (H, W, 3) uint8 tile of at least 64 × 64 px."""
    od = density(tile)
    return _color(tile, od) | _stains(od) | _texture(od)
