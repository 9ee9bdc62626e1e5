import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.slides.readers.base import Region
from curatome.slides.resample import axis_taps, resample


def exact_area(source, start, step, count):
    """Weights (count, size) of area averaging, in float64, pixel by pixel."""
    size = source
    weights = np.zeros((count, size))
    for i in range(count):
        low, high = start + i * step, start + (i + 1) * step
        for j in range(int(np.floor(low)), int(np.ceil(high))):
            weights[i, min(max(j, 0), size - 1)] += max(0.0, min(high, j + 1) - max(low, j))
    return weights / weights.sum(axis=1, keepdims=True)


def bilinear(size, start, step, count):
    weights = np.zeros((count, size))
    for i in range(count):
        center = start + (i + 0.5) * step - 0.5
        left = int(np.floor(center))
        weights[i, min(max(left, 0), size - 1)] += 1 - (center - left)
        weights[i, min(max(left + 1, 0), size - 1)] += center - left
    return weights


def reference(pixels, box, step, shape):
    (x, y), (h, w) = box, shape
    kernel = exact_area if step >= 1 else bilinear
    down = kernel(pixels.shape[0], y, step, h)
    across = kernel(pixels.shape[1], x, step, w)
    return np.einsum("ij,jkc,lk->ilc", down, pixels.astype(np.float64), across, optimize=True)


@pytest.mark.parametrize("step", [0.5, 0.96, 0.990381, 1.0, 1.3, 1.9768, 2.0, 3.99, 4.0, 31.7])
def test_agrees_with_float64_to_rounding(step):
    pixels = np.random.default_rng(3).integers(0, 256, (130, 150, 3), dtype=np.uint8)
    shape = (max(1, int(120 / step)), max(1, int(140 / step)))
    out = np.empty((*shape, 3), np.uint8)
    resample(Region(pixels, 0.0, 0.0, 1.0, 1.0), 3.37, 2.81, (step, step), out)
    wanted = reference(pixels, (3.37, 2.81), step, shape)
    assert np.abs(out - wanted).max() < 0.52  # half a gray level, and 15-bit weights


def test_whole_steps_are_block_means():
    pixels = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    out = np.empty((16, 24, 3), np.uint8)
    resample(Region(pixels, 0.0, 0.0, 1.0, 1.0), 0.0, 0.0, (4.0, 4.0), out)
    means = pixels.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(out - means).max() <= 0.5 + 1 / 64


def test_same_scale_copies():
    pixels = np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    out = np.empty((20, 30, 3), np.uint8)
    resample(Region(pixels, 100.0, 200.0, 4.0, 4.0), 140.0, 220.0, (4.0, 4.0), out)
    np.testing.assert_array_equal(out, pixels[5:25, 10:40])


def test_place_and_step_of_the_region_count():
    # A ramp along x at 2 level-0 px per pixel: the value under level-0 x is x / 2 - 0.5.
    ramp = np.broadcast_to(np.arange(120, dtype=np.uint8)[None, :, None], (8, 120, 3))
    out = np.empty((1, 20, 3), np.uint8)
    resample(Region(np.ascontiguousarray(ramp), 50.0, 0.0, 2.0, 2.0), 90.0, 0.0, (6.0, 6.0), out)
    centers = 90.0 + 6.0 * (np.arange(20) + 0.5)
    np.testing.assert_allclose(out[0, :, 0], (centers - 50.0) / 2 - 0.5, atol=0.51)


def test_border_continues_with_the_outermost_pixel():
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:, -1] = 200
    out = np.empty((4, 8, 3), np.uint8)
    resample(Region(pixels, 0.0, 0.0, 1.0, 1.0), 9.0, 0.0, (1.5, 1.5), out)
    assert (out == 200).all()


@given(
    start=st.floats(-5, 40),
    step=st.floats(0.3, 40),
    count=st.integers(1, 50),
    size=st.integers(1, 60),
)
@settings(max_examples=300, deadline=None)
def test_weights_always_add_up_and_stay_inside(start, step, count, size):
    taps = axis_taps(start, step, count, size)
    assert (taps.weights.sum(axis=1) == 1 << 15).all()
    assert (taps.first >= 0).all()
    assert (taps.first + taps.weights.shape[1] <= size).all()


@given(value=st.integers(0, 255), step=st.floats(0.5, 9))
@settings(max_examples=60, deadline=None)
def test_a_flat_picture_stays_flat(value, step):
    pixels = np.full((80, 80, 3), value, np.uint8)
    out = np.empty((7, 7, 3), np.uint8)
    resample(Region(pixels, 0.0, 0.0, 1.0, 1.0), 1.7, 0.3, (step, step), out)
    assert (out == value).all()


def test_rows_of_out_may_be_strided():
    pixels = np.random.default_rng(5).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    canvas = np.zeros((40, 40, 3), np.uint8)
    alone = np.empty((20, 20, 3), np.uint8)
    region = Region(pixels, 0.0, 0.0, 1.0, 1.0)
    resample(region, 1.1, 2.2, (1.7, 1.7), alone)
    resample(region, 1.1, 2.2, (1.7, 1.7), canvas[5:25, 8:28])
    np.testing.assert_array_equal(canvas[5:25, 8:28], alone)
    assert canvas.sum() == alone.sum(dtype=np.int64)
