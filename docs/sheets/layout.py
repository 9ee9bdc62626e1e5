"""How a sheet is laid out: pictures in rows, each with its name beneath and its scale in it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).parents[1] / "phantom"
WIDTH, GAP, TEXT = 1240, 12, 17
INK, PALE, PAPER = (32, 32, 36), (110, 110, 118), (255, 255, 255)
TRUE, DRAWN, WRONG = (20, 150, 90), (226, 110, 0), (210, 20, 40)
"""The truth, what a reader drew, and what is wrong with a table."""

Pixels = NDArray[np.uint8]
Color = tuple[int, int, int]


@lru_cache(maxsize=16)
def font(size: int = TEXT, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    with resources.as_file(resources.files("matplotlib") / "mpl-data/fonts/ttf" / name) as path:
        return ImageFont.truetype(path, size)


def wrapped(text: str, width: int, face: ImageFont.FreeTypeFont) -> list[str]:
    """Lines of a text, none wider than `width` px.

    Raises:
        ValueError: a single word is wider than that.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if face.getlength(word) > width:
            raise ValueError(f"{word!r} does not fit into {width} px.")
        if face.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def scale_bar(picture: Image.Image, mpp: float, length_um: float) -> None:
    """Draw a bar of a length at the lower right of a picture of `mpp` µm per px."""
    draw = ImageDraw.Draw(picture)
    width, right, bottom = length_um / mpp, picture.width - 9, picture.height - 9
    name = f"{length_um:g} µm"
    text = font(13).getlength(name)
    left = right - max(width, text)
    draw.rectangle((left - 6, bottom - 23, right + 5, bottom + 5), fill=PAPER)
    draw.rectangle((right - width, bottom - 3, right, bottom), fill=INK)
    draw.text((right - max(width, text) / 2, bottom - 22), name, INK, font(13), anchor="ma")


def outlined(
    picture: Image.Image, shapes: Sequence[shapely.Geometry], color: Color, width: int = 2
) -> None:
    """Draw outlines (px of the picture)."""
    draw = ImageDraw.Draw(picture)
    for shape in shapes:
        for part in shapely.get_parts(shape):
            rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
            for ring in rings:
                line = [(float(x), float(y)) for x, y in ring.coords]
                draw.line(line, color, width, joint="curve")


def captioned(picture: Image.Image, name: str, words: str = "", lines: int = 1) -> Image.Image:
    """A picture with its name in bold beneath it, then words on so many lines.

    Raises:
        ValueError: the words need more lines.
    """
    rows = wrapped(words, picture.width, font(14)) if words else []
    if len(rows) > lines:
        raise ValueError(f"{name}: {words!r} needs {len(rows)} lines.")
    size = TEXT
    while font(size, True).getlength(name) > picture.width:
        size -= 1
    out = Image.new("RGB", (picture.width, picture.height + 28 + 19 * lines), PAPER)
    out.paste(picture)
    draw = ImageDraw.Draw(out)
    draw.text((0, picture.height + 5), name, INK, font(size, True))
    for k, row in enumerate(rows):
        draw.text((0, picture.height + 27 + 19 * k), row, PALE, font(14))
    return out


def beside(pictures: Sequence[Image.Image], gap: int = 4) -> Image.Image:
    """Pictures of one height from left to right."""
    width = sum(p.width for p in pictures) + gap * (len(pictures) - 1)
    out = Image.new("RGB", (width, max(p.height for p in pictures)), PAPER)
    left = 0
    for picture in pictures:
        out.paste(picture, (left, 0))
        left += picture.width + gap
    return out


def below(pictures: Sequence[Image.Image], gap: int = 4) -> Image.Image:
    """Pictures from top to bottom."""
    height = sum(p.height for p in pictures) + gap * (len(pictures) - 1)
    out = Image.new("RGB", (max(p.width for p in pictures), height), PAPER)
    top = 0
    for picture in pictures:
        out.paste(picture, (0, top))
        top += picture.height + gap
    return out


def grid(cells: Sequence[Image.Image], columns: int) -> Image.Image:
    """Cells in rows."""
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    return below([beside(row, GAP) for row in rows], GAP)


def save(sheet: Image.Image, name: str) -> Path:
    """Write a sheet with a margin, as JPEG or PNG by its name."""
    out = Image.new("RGB", (sheet.width + 2 * GAP, sheet.height + 2 * GAP), PAPER)
    out.paste(sheet, (GAP, GAP))
    path = FOLDER / name
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".png":
        out.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    else:
        out.save(path, quality=78, optimize=True, progressive=True)
    return path
