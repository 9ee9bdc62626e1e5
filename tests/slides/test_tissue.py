import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.protocol import TissueSettings
from curatome.slides.readers import open_slide
from curatome.slides.tissue import find_tissue, read_overview
from curatome.units import Mpp
from tests.slides.pictures import DATA
from tests.slides.tissue_pictures import (
    CAMERAS,
    DAB,
    KINDS,
    MPP,
    Camera,
    Picture,
    blobs,
    cells_found,
    covered,
    cytology,
    empty,
    fat,
    he,
    iou,
    near_empty,
    pale_ihc,
    render,
    texture,
)

SETTINGS = TissueSettings()
SEEDS = (901, 902, 903)
cameras = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())


def rng(seed):
    return np.random.default_rng(seed)


def detect(picture, **changes):
    return find_tissue(picture.overview, MPP, SETTINGS.model_copy(update=changes))[0]


@cameras
@pytest.mark.parametrize("kind", ["he", "near_empty", "covered", "black_area", "white_padding"])
def test_stained_tissue_is_found_to_the_pixel(kind, camera):
    for seed in SEEDS:
        picture = KINDS[kind](rng(seed), camera)
        assert iou(detect(picture), picture.truth) > 0.98


@cameras
def test_pale_ihc_is_found(camera):
    for seed in SEEDS:
        picture = pale_ihc(rng(seed), camera)
        assert iou(detect(picture), picture.truth) > 0.85


@pytest.mark.parametrize("share", [0.6, 0.8, 0.9])
def test_pale_tissue_may_outweigh_the_glass(share):
    for seed in SEEDS:
        draw = rng(seed)
        mask = blobs((300, 420), share, 20, draw)
        strength = np.clip(0.045 * texture(mask.shape, draw), 0.03, 0.06)
        overview = render((strength * mask)[..., None] * DAB, Camera(), draw)
        assert iou(detect(Picture(overview, mask)), mask) > 0.9


@cameras
def test_nine_of_ten_single_cells_are_covered(camera):
    for seed in SEEDS:
        picture = cytology(rng(seed), camera)
        mask = detect(picture)
        assert cells_found(mask, picture.cells) > 0.9
        assert mask.sum() < 2 * picture.truth.sum()


def test_fat_is_found_with_its_lumens():
    for seed in SEEDS:
        picture = fat(rng(seed), Camera())
        mask = detect(picture)
        assert (mask & picture.truth).sum() > 0.65 * picture.truth.sum()
        assert (mask & ~picture.truth).sum() < 0.02 * picture.truth.sum()


@cameras
def test_an_empty_slide_gives_an_empty_mask(camera):
    for seed in SEEDS:
        assert not detect(empty(rng(seed), camera)).any()


@pytest.mark.parametrize("gradient", [0.08, 0.12, 0.2])
def test_uneven_light_is_no_tissue(gradient):
    camera = Camera(gradient=gradient)
    assert not detect(empty(rng(1), camera)).any()
    picture = he(rng(1), camera)
    assert iou(detect(picture), picture.truth) > 0.98


@pytest.mark.parametrize("side", [1, 2, 3, 5, 14, 28, 61])
def test_tiny_pictures(side):
    overview = covered(rng(1), Camera()).overview[:side, :side]
    assert find_tissue(overview, MPP, TissueSettings(min_area_um2=0))[0].all()
    assert not find_tissue(empty(rng(1), Camera()).overview[:side, :side], MPP, SETTINGS)[0].any()


@pytest.mark.parametrize(
    ("color", "is_tissue"),
    [
        ((255, 255, 255), False),
        ((0, 0, 0), False),
        ((240, 240, 240), False),
        ((220, 160, 200), True),
    ],
)
def test_pictures_of_one_color(color, is_tissue):
    mask, facts = find_tissue(np.full((50, 60, 3), color, np.uint8), MPP, SETTINGS)
    assert mask.all() if is_tissue else not mask.any()
    assert all(np.isfinite(value) for value in facts.values())


def test_the_glass_is_found_under_padding_pen_and_unscanned_areas():
    picture = he(rng(5), Camera((228, 224, 210), 0.0, 1.0))
    overview = np.full((500, 700, 3), 255, np.uint8)
    overview[:300, :420] = picture.overview
    overview[20:60, 20:200] = (20, 60, 160)
    overview[300:400, :420] = 0
    facts = find_tissue(overview, MPP, SETTINGS)[1]
    color = [facts["glass_red"], facts["glass_green"], facts["glass_blue"]]
    np.testing.assert_allclose(color, (228, 224, 210), atol=1.5)
    assert facts["glass_seen"] == 1
    assert facts["unscanned_share"] == pytest.approx(100 * 420 / (500 * 700), abs=0.01)


def test_a_bubble_brighter_than_the_glass_is_not_taken_for_it():
    picture = he(rng(5), Camera())
    bubble = np.clip(picture.overview[20:100, 20:200] * 1.03, 0, 254)
    picture.overview[20:100, 20:200] = bubble
    assert iou(detect(picture), picture.truth) > 0.98


def test_no_glass_is_claimed_where_tissue_covers_all():
    assert find_tissue(covered(rng(1), Camera()).overview, MPP, SETTINGS)[1]["glass_seen"] == 0


def test_noise_is_measured_in_optical_density():
    overview = empty(rng(1), Camera((240, 240, 240), 0.0, 3.0)).overview
    facts = find_tissue(overview, MPP, SETTINGS)[1]
    assert facts["glass_noise"] == pytest.approx(3 / 241 / np.log(10), rel=0.15)


def test_a_gray_shadow_needs_twice_the_density_of_a_stain():
    mask = np.zeros((200, 200), np.bool_)
    mask[60:140, 60:140] = True
    quiet = Camera((240, 240, 240), 0.0, 0.5)
    shadow = render(0.03 * mask[..., None] * np.ones(3), quiet, rng(1))
    stain = render(0.03 * mask[..., None] * np.array([0.1, 1.0, 0.5]), quiet, rng(1))
    assert not detect(Picture(shadow, mask)).any()
    assert iou(detect(Picture(stain, mask)), mask) > 0.9


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.rot90, lambda a: a.swapaxes(0, 1)])
@pytest.mark.parametrize("kind", ["he", "pale_ihc", "cytology", "black_area"])
def test_a_turned_picture_gives_the_turned_mask(kind, turn):
    overview = KINDS[kind](rng(7), Camera()).overview
    overview = np.ascontiguousarray(overview[: len(overview) // 4 * 4])
    whole = find_tissue(overview, MPP, SETTINGS)[0]
    turned = find_tissue(np.ascontiguousarray(turn(overview)), MPP, SETTINGS)[0]
    assert whole.any()
    np.testing.assert_array_equal(turned, turn(whole))


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    low=st.floats(0.2, 3),
    factor=st.floats(1.01, 4),
    seed=st.integers(0, 99),
)
def test_more_sensitivity_never_loses_tissue(kind, low, factor, seed):
    picture = KINDS[kind](rng(seed), Camera(noise=2.0))
    less = detect(picture, sensitivity=low)
    more = detect(picture, sensitivity=low * factor)
    assert not (less & ~more).any()


def test_settings_are_in_micrometers():
    picture = near_empty(rng(3), Camera())
    area_um2 = picture.truth.sum() * MPP**2
    assert detect(picture, min_area_um2=0.9 * area_um2).any()
    assert not detect(picture, min_area_um2=1.1 * area_um2).any()
    grown = detect(picture, margin_um=80.0)
    rows, columns = np.nonzero(grown)
    assert np.ptp(rows) + 1 == 17 + 20
    assert np.ptp(columns) + 1 == 17 + 20


def test_holes_are_filled_by_area():
    y, x = np.ogrid[:200, :200]
    ring = (y - 100) ** 2 + (x - 100) ** 2 <= 60**2
    ring &= (y - 100) ** 2 + (x - 100) ** 2 > 12**2
    overview = render(0.3 * ring[..., None] * np.ones(3), Camera(), rng(1))
    hole_um2 = np.pi * 12**2 * MPP**2
    small = find_tissue(overview, MPP, TissueSettings(max_hole_um2=0.8 * hole_um2))[0]
    large = find_tissue(overview, MPP, TissueSettings(max_hole_um2=1.2 * hole_um2))[0]
    assert not small[100, 100]
    assert large[100, 100]


def test_a_lone_speck_goes_and_a_scatter_stays():
    specks = np.zeros((400, 400), np.bool_)
    specks[50, 350] = True
    specks[200:240:6, 100:140:6] = True
    overview = render(0.4 * specks[..., None] * np.array([1.0, 0.8, 0.4]), Camera(), rng(1))
    mask = find_tissue(overview, MPP, SETTINGS)[0]
    assert not mask[50, 350]
    assert mask[200:240:6, 100:140:6].all()


@pytest.mark.parametrize(
    ("overview", "mpp", "message"),
    [
        (np.zeros((4, 4), np.uint8), 8.0, r"\(H, W, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), 8.0, "not empty"),
        (np.zeros((4, 4, 3), np.uint8), 0.0, "mpp must be positive"),
    ],
)
def test_what_cannot_be_is_refused(overview, mpp, message):
    with pytest.raises(ValueError, match=message):
        find_tissue(overview, mpp, SETTINGS)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real slides are not at {DATA}")
@pytest.mark.parametrize(
    ("name", "mpp", "tissue", "glass"),
    [
        ("aperio/cmu-1-small-region.svs", 0.499, [(1100, 1700), (900, 2800)], [(200, 1500)]),
        ("aperio/tcga-cr-7395-01a-01-ts1.svs", 0.5, [(1500, 2000)], [(100, 100), (600, 700)]),
        ("tiff/kidney-48-5.tif", 1.0, [(343, 533)], [(1250, 150), (266, 206), (100, 800)]),
        ("dicom/multi_frame_jpeg_camelyon_challenge_image.dcm", 28.969, [(170, 220)], [(20, 400)]),
    ],
)
def test_real_slides(name, mpp, tissue, glass):
    """Points (x, y) of level 0 that are tissue or glass (padding, a smudge) to the eye."""
    slide = open_slide(DATA / name)
    overview, step_x, step_y = read_overview(slide, Mpp(mpp, mpp), 8.0)
    slide.close()
    mask, facts = find_tissue(overview, mpp * step_x, SETTINGS)
    assert facts["glass_seen"] == 1
    assert all(mask[int(y / step_y), int(x / step_x)] for x, y in tissue)
    assert not any(mask[int(y / step_y), int(x / step_x)] for x, y in glass)
