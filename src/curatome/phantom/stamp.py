"""A stamp that tells everybody who sees the label of a phantom's slide that nobody is behind it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from curatome.phantom.labels import HEIGHT, WIDTH, Label, Mark

_TEXT = "SYNTHETIC"
_BOX = (22, 345, 192, 38)
"""Left, top, width, height on a label, px; `make_label` leaves this place free."""
_INK = (176, 24, 36)


def stamped(label: Label) -> Label:
    """A label of `make_label` with the stamp, which is a mark of it like all others."""
    left, top, width, height = _BOX
    ink = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(ink)
    draw.rectangle((left, top, left + width - 1, top + height - 1), outline=255, width=3)
    middle = (left + width / 2, top + height / 2)
    draw.text(middle, _TEXT, 255, ImageFont.load_default(29), anchor="mm", stroke_width=1)
    image = Image.fromarray(label.pixels)
    image.paste(_INK, (0, 0), ink)
    return Label(np.asarray(image), (*label.marks, Mark("note", "print", _TEXT, _BOX)))
