from __future__ import annotations

import re
import subprocess
import sys

import numpy as np

from curatome.report import charts
from tests.report.samples import Page


def bar_heights(svg: str) -> np.ndarray:
    """Heights of the series-colored bars, in points."""
    shapes = re.findall(r'<path d="([^"]+)"[^>]*style="fill: var\(--series\)', svg)
    ys = [np.array(re.findall(r"[ML] \S+ (\S+)", d), dtype=float) for d in shapes]
    return np.array([y.max() - y.min() for y in ys])


def test_the_histogram_draws_the_counts():
    fractions = np.repeat([0.51, 0.76, 0.96], [10, 20, 40])
    svg = charts.tissue_histogram(fractions, 0.5, "t", "20x")
    heights = bar_heights(svg)
    drawn = heights[heights > 0.01]
    np.testing.assert_allclose(drawn / drawn[0], [1, 2, 4], rtol=1e-4)
    assert "kept from 50 %" in svg
    assert "70 tiles, kept from 50 % tissue; the median tile holds 96 %." in svg


def test_the_strip_says_median_and_spread():
    svg = charts.tiles_per_slide({"20x": list(range(101))})
    assert "20x: median 50 tiles per slide, 90 % of slides between 5 and 95" in svg
    assert "median 50</text>" in svg


def test_charts_of_nothing_can_be_drawn():
    assert "0 tiles" in charts.tissue_histogram(np.zeros(0), 0.5, "t", "20x")
    assert "median 0" in charts.tiles_per_slide({"20x": [0, 0]})


def test_a_chart_takes_its_colors_and_letters_from_the_page():
    svg = charts.tissue_histogram(np.linspace(0.5, 1, 9), 0.5, "t", "$a$ & <b>")
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", svg)) == set()
    assert "font-family" not in svg
    assert "DejaVu" not in svg
    assert "<style" not in svg
    assert Page(svg).tagged("title")[0].text == "Tissue fraction of the tiles at $a$ & <b>"


def test_a_scale_may_carry_dollar_signs():
    assert "$a$</text>" in charts.tiles_per_slide({"$a$": [3]})


def test_many_slides_do_not_make_a_large_chart():
    many = charts.tiles_per_slide({str(k): list(range(3000)) for k in range(4)})
    assert len(many) < 40_000


def test_importing_the_report_loads_no_matplotlib():
    code = "import sys, curatome.report; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
