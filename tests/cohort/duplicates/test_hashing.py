import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from curatome.cohort.duplicates import (
    NO_CONTENT,
    contrasts,
    hash_distances,
    is_cut_out,
    jpeg_hash,
    perceptual_hash,
    turned,
    turned_hashes,
    without_ground,
)
from curatome.cohort.duplicates.reduce import UNITS, reduced
from curatome.phantom.faults.duplicates import redrawn

from .made import bits_of, compressed, eight_variants

LUMINANCE = np.array([0.299, 0.587, 0.114])


def picture(seed, height=90, width=70):
    """Patches with grain, in colors that neither grain nor JPEG clips."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(50, 206, (7, 6, 3), np.uint8)
    rows = np.arange(height) * 7 // height
    columns = np.arange(width) * 6 // width
    noise = rng.integers(-20, 21, (height, width, 3))
    return np.clip(coarse[rows][:, columns] + noise, 0, 255).astype(np.uint8)


def area_mean(channel, side):
    """Means over cells of a grid by enlarging until they divide, in float64."""
    height, width = channel.shape
    large = np.repeat(np.repeat(channel, side, axis=0), side, axis=1)
    return large.reshape(side, height, side, width).mean(axis=(1, 3))


@pytest.mark.parametrize("shape", [(64, 64), (90, 70), (33, 47), (5, 9), (1, 1)])
def test_reduction_is_the_mean_luminance_over_area(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    expected = area_mean(image @ LUMINANCE, 32)
    assert np.abs(reduced(image, 32) / UNITS - expected).max() < 0.51 / UNITS
    gray = image[:, :, 0]
    assert np.abs(reduced(gray, 32) / UNITS - area_mean(gray, 32)).max() < 0.51 / UNITS


@pytest.mark.parametrize("seed", range(5))
def test_a_hash_is_the_signs_of_the_low_cosines(seed):
    image = picture(seed)
    low = dctn(area_mean(image @ LUMINANCE, 32), norm="ortho")[:8, :8]
    clear = np.abs(low) > 0.05  # a sign that rounding cannot turn
    assert clear.sum() > 60
    bits = bits_of(perceptual_hash([image]))[0]
    assert bits[0, 0] == 1
    assert np.array_equal(bits[clear], (low > 0)[clear])
    low[0, 0] = 0
    assert contrasts([image])[0] == pytest.approx(np.sqrt((low**2).sum()) / 32, rel=1e-3)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(8, 80), st.integers(8, 80))
def test_hashes_of_turned_images_follow_from_the_hash(seed, height, width):
    image = picture(seed, height, width)
    own = perceptual_hash([image], 0)
    for k in range(8):
        assert np.array_equal(turned(image, k), redrawn(image, f"turn {k}"))
        assert perceptual_hash([redrawn(image, f"turn {k}")], 0)[0] == turned_hashes(own)[0, k]


def test_turned_hashes_by_signs_and_transposition():
    hashes = np.random.default_rng(2).integers(0, 2**64, 200, np.uint64)
    ours, theirs = turned_hashes(hashes), eight_variants(hashes)
    assert np.array_equal(ours[:, 0], hashes)
    assert np.array_equal(np.sort(ours, axis=1), np.sort(theirs, axis=1))


def test_distance_is_the_least_over_the_symmetries():
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 2**64, (2, 300), np.uint64)
    expected = np.bitwise_count(eight_variants(first) ^ second[:, None]).min(axis=1)
    distance, symmetry = hash_distances(first, second)
    assert np.array_equal(distance, expected)
    chosen = turned_hashes(first)[np.arange(300), symmetry]
    assert np.array_equal(np.bitwise_count(chosen ^ second), expected)
    with pytest.raises(ValueError, match="pair up"):
        hash_distances(first, second[:-1])


def test_a_batch_is_hashed_as_its_images():
    batch = np.stack([picture(k) for k in range(4)])
    assert perceptual_hash(batch).tolist() == [int(perceptual_hash([one])[0]) for one in batch]
    assert len(set(perceptual_hash(batch).tolist())) == 4
    assert len(perceptual_hash([])) == 0


def test_compression_and_light_change_few_bits_and_another_image_many():
    images = [picture(k, 224, 224) for k in range(40)]
    own = perceptual_hash(images)
    lighter = [np.clip(image.astype(int) * 0.97 + 9, 0, 255).astype(np.uint8) for image in images]
    assert hash_distances(own, perceptual_hash([compressed(one) for one in lighter]))[0].max() <= 6
    assert hash_distances(own, np.roll(own, 1))[0].min() > 8


def test_empty_glass_has_no_hash():
    rng = np.random.default_rng(4)
    ramp = np.linspace(0, 3, 200)[None, :, None]  # uneven light
    glass = np.clip(242 + ramp + rng.normal(0, 2, (200, 200, 3)), 0, 255).astype(np.uint8)
    black = np.zeros((50, 50, 3), np.uint8)
    assert perceptual_hash([glass, compressed(glass), black]).tolist() == [NO_CONTENT] * 3
    cell = glass.copy()
    cell[90:110, 90:110] = (120, 60, 160)
    assert perceptual_hash([cell])[0] != NO_CONTENT
    assert perceptual_hash([glass], 0)[0] != NO_CONTENT


@pytest.mark.parametrize("side", [64, 70, 224, 384, 1000])
def test_a_jpeg_file_is_hashed_nearly_as_its_pixels(side):
    files = [
        simplejpeg.encode_jpeg(np.ascontiguousarray(picture(k, side, side + 16)), quality=90)
        for k in range(20)
    ]
    pixels = [simplejpeg.decode_jpeg(data) for data in files]
    assert hash_distances(jpeg_hash(files), perceptual_hash(pixels))[0].max() <= 2


def test_a_gray_jpeg_file_is_hashed_as_well():
    gray = np.ascontiguousarray(picture(1)[:, :, :1])
    data = simplejpeg.encode_jpeg(gray, colorspace="GRAY", quality=95)
    assert hash_distances(jpeg_hash([data]), perceptual_hash([gray]))[0][0] <= 2
    with pytest.raises(ValueError, match="JPEG"):
        jpeg_hash([b"no picture"])


def test_ground_is_cut_away():
    image = np.full((60, 80, 3), 250, np.uint8)
    image[10:31, 20:26] = 100
    image[55, 70] = 215  # a shade on the ground
    assert without_ground(image).shape == (21, 6, 3)
    assert np.array_equal(without_ground(image), image[10:31, 20:26])
    assert without_ground(image, darker=35).shape == (46, 51, 3)
    assert without_ground(image[:5]).shape == (5, 80, 3)
    assert without_ground(image[:, :, 0]).shape == (21, 6)


@pytest.mark.parametrize(("edge", "cut_out"), [(255, True), (251, True), (249, False)])
def test_white_all_around_is_what_was_cut_out(edge, cut_out):
    for image in (np.full((20, 30, 3), edge, np.uint8), np.full((20, 30), edge, np.uint8)):
        image[5:9, 5:9] = 90
        assert is_cut_out(image) is cut_out
        image[7, -1] = 200
        assert not is_cut_out(image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"Got \(4, 4, 4\) of uint8"),
        (np.zeros((4, 4, 3)), "of float64"),
        (np.zeros((0, 4, 3), np.uint8), "must have pixels"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        perceptual_hash([image])
    with pytest.raises(ValueError, match=message):
        without_ground(image)


def test_one_image_is_no_batch():
    with pytest.raises(ValueError, match="batch"):
        perceptual_hash(picture(1))
