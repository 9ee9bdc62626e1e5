"""How a picture is laid out: what fails on the left, what passes on the right, words beneath."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from curatome.rules.engine import lacking, look, settings_of
from curatome.rules.registry import rule_of
from curatome.rules.rule import Inputs

INK, PALE, LINE, PAPER, SOFT = "#1d2328", "#59636d", "#c9c5bc", "#ffffff", "#f6f4ef"
FAIL, PASS = "#c2410c", "#0b5fa5"
"""Vermilion and blue, which nobody confuses; a square with a cross and a circle with a tick too."""
SPLITS = {"train": "#37474f", "val": "#8e6bb1", "test": "#b8860b"}

WIDTH, HEIGHT = 7.2, 3.36
"""Inches of 100 px."""
_KEPT = (FAIL, PASS, INK, PAPER, *SPLITS.values())
"""Colors that are the same in every picture."""
_LOOKS = ((160, 64), (160, 40), (130, 40), (110, 32))
"""Dots per inch and colors, the first of which gives a file that is small enough."""
_MOST_BYTES = 85_000
_LEFT, _RIGHT, _BOTTOM, _SIDE, _TALL = 0.008, 0.508, 0.168, 0.484, 0.732
RATIO = (WIDTH * _SIDE) / (HEIGHT * _TALL)
"""Width of a panel against its height."""
_CHARACTERS = 58


@dataclass(frozen=True, eq=False)
class Panel:
    """One side of a picture.

    Attributes:
        inputs: what the rule is given.
        draw: draws it.
        words: what there is to see, at most two short lines.
        image: the image, for a rule of that scope.
        settings: of the rule, where they are not its defaults.
    """

    inputs: Inputs
    draw: Callable[[Axes], None]
    words: str
    image: str | None = "s"
    settings: Mapping[str, float | str] = field(default_factory=dict)


Pair = tuple[Panel, Panel]
"""What fails, and what passes."""


def drawn(code: str, pair: Pair) -> bytes:
    """A picture as PNG.

    Raises:
        ValueError: the rule finds nothing in what should fail, or something in what should pass.
    """
    for panel, wanted in zip(pair, (True, False), strict=True):
        told = found(code, panel)
        if bool(told) != wanted:
            raise ValueError(f"{code}: the rule says of {panel.words!r}: {told or 'nothing'}.")
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.parse_math": False}):
        figure = Figure((WIDTH, HEIGHT), facecolor=PAPER)
        for panel, left, fails in zip(pair, (_LEFT, _RIGHT), (True, False), strict=True):
            _lay_out(figure, panel, left, fails=fails)
        return _png(figure)


def found(code: str, panel: Panel) -> list[str]:
    """What a rule says of a panel.

    Raises:
        ValueError: it lacks something, or cannot look.
    """
    rule = rule_of(code)
    if lacking(rule, panel.inputs) is not None:
        raise ValueError(f"{code} lacks {lacking(rule, panel.inputs)} in {panel.words!r}.")
    unknown = set(panel.settings) - set(settings_of(rule, panel.inputs.protocol))
    if unknown:
        raise ValueError(f"{code} has no setting {unknown}.")
    given = panel.inputs
    if panel.settings:
        check = given.protocol.check.model_copy(update={"rules": {code: dict(panel.settings)}})
        protocol = given.protocol.model_copy(update={"check": check})
        given = Inputs(**{**vars(given), "protocol": protocol})
    findings = look(rule, given, panel.image if rule.scope == "image" else None).findings
    if any(one.code != code for one in findings):
        raise ValueError(findings[0].message)
    return [one.message for one in findings]


def _lay_out(figure: Figure, panel: Panel, left: float, *, fails: bool) -> None:
    color, name, mark = (FAIL, "Fails", "✗") if fails else (PASS, "Passes", "✓")
    style = "square,pad=0.22" if fails else "circle,pad=0.22"
    box = {"boxstyle": style, "facecolor": color, "edgecolor": "none"}
    top = _BOTTOM + _TALL + 0.05
    line = {"va": "center", "ha": "left"}
    figure.text(left + 0.011, top, mark, color=PAPER, size=8.5, weight="bold", bbox=box, **line)
    figure.text(left + 0.041, top, name, color=color, size=10, weight="bold", **line)
    axes = figure.add_axes((left, _BOTTOM, _SIDE, _TALL))
    axes.set_facecolor(PAPER)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=LINE, linewidth=0.8)
    panel.draw(axes)
    lines = textwrap.wrap(panel.words, _CHARACTERS)
    if len(lines) > 2:
        raise ValueError(f"{panel.words!r} needs {len(lines)} lines.")
    for k, line_of_words in enumerate(lines):
        figure.text(left, _BOTTOM - 0.06 - 0.055 * k, line_of_words, color=INK, size=8.2)


def _png(figure: Figure) -> bytes:
    for dpi, colors in _LOOKS:
        held, out = io.BytesIO(), io.BytesIO()
        figure.savefig(held, format="png", dpi=dpi, metadata={"Software": None})
        picture = Image.open(held).convert("RGB")
        _with_few_colors(picture, colors).save(out, "PNG", optimize=True)
        if out.tell() <= _MOST_BYTES:
            break
    return out.getvalue()


def _with_few_colors(picture: Image.Image, colors: int) -> Image.Image:
    """A palette of the picture's own colors, and of those of marks, which must not change."""
    own = picture.quantize(colors, Image.Quantize.MEDIANCUT).getpalette() or []
    marks = [round(255 * part) for color in _KEPT for part in to_rgb(color)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*marks, *own[: 3 * colors]])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)
