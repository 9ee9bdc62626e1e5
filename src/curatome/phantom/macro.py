"""A photograph of the whole glass: label at the left, coverslip and tissue at the right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curatome.phantom.labels import Label

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 1280, 430
_LABEL_BOX = (14, 14, 400, 402)
_ROOM = (456, 26, 790, 378)


def _fitted(pixels: Pixels, width: int, height: int) -> Pixels:
    """Pixels made smaller (never larger) to fit, by area average."""
    scale = min(1.0, width / pixels.shape[1], height / pixels.shape[0])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _glass() -> Pixels:
    """Empty glass on its tray, with a coverslip, specks and the light's falloff."""
    rng = np.random.default_rng(11)
    image = np.full((HEIGHT, WIDTH, 3), 30.0)
    image[5:-5, 5:-5] = (228, 231, 231)
    x0, y0, width, height = _ROOM
    image[y0 - 10 : y0 + height + 10, x0 - 14 : x0 + width + 14] += 6
    for edge in (y0 - 10, y0 + height + 9):
        image[edge, x0 - 14 : x0 + width + 14] -= 45
    for edge in (x0 - 14, x0 + width + 13):
        image[y0 - 10 : y0 + height + 10, edge] -= 45
    for _ in range(60):
        y, x = rng.integers(8, HEIGHT - 9), rng.integers(430, WIDTH - 9)
        image[y : y + rng.integers(1, 3), x : x + rng.integers(1, 4)] -= rng.uniform(15, 70)
    falloff = 1 - 0.05 * ((np.arange(WIDTH) - WIDTH / 2) / (WIDTH / 2)) ** 2
    image *= falloff[None, :, None]
    image += rng.normal(0, 1.2, (HEIGHT, WIDTH, 1))
    out: Pixels = image.clip(0, 255).astype(np.uint8)
    return out


def _label_scale(label: Label) -> float:
    """Scale at which a label, turned by a quarter, lies on the glass."""
    height, width, _ = label.pixels.shape
    return float(min(1.0, _LABEL_BOX[2] / height, _LABEL_BOX[3] / width))


def label_on_glass(label: Label) -> Label:
    """The label as the macro image shows it: turned to the left by a quarter, in place."""
    scale, wide = _label_scale(label), label.pixels.shape[1]
    left, top = _LABEL_BOX[:2]
    marks = tuple(
        replace(
            mark,
            box=(
                left + scale * mark.box[1],
                top + scale * (wide - mark.box[0] - mark.box[2]),
                scale * mark.box[3],
                scale * mark.box[2],
            ),
        )
        for mark in label.marks
    )
    turned = np.ascontiguousarray(np.rot90(label.pixels))
    return Label(_fitted(turned, *_LABEL_BOX[2:]), marks)


def macro_image(label: Label, overview: Pixels) -> Pixels:
    """The whole glass.

    Args:
        label: its label.
        overview: (H, W, 3) uint8, the scanned area.

    Returns:
        (430, 1280, 3) uint8. The label fills the left third, turned to the left by a quarter; a
        green frame shows what was scanned.
    """
    macro = _glass()
    on_glass = label_on_glass(label).pixels
    left, top = _LABEL_BOX[:2]
    macro[top : top + on_glass.shape[0], left : left + on_glass.shape[1]] = on_glass
    x0, y0, width, height = _ROOM
    small = _fitted(overview, width, height)
    top, left = y0 + (height - small.shape[0]) // 2, x0 + (width - small.shape[1]) // 2
    place = macro[top : top + small.shape[0], left : left + small.shape[1]]
    place[:] = (place.astype(np.uint16) * small // 246).clip(0, 255)
    for edge in (place[:2], place[-2:], place[:, :2], place[:, -2:]):
        edge[:] = (0, 255, 0)
    return macro
