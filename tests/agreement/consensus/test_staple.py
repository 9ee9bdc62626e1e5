"""STAPLE against SimpleITK, and what it does where SimpleITK's multi-label filter invents."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name

from curatome.agreement.consensus.staple import staple
from curatome.errors import TableError


def squares(noise, seed=1, side=64, dtype=np.uint8):
    """A square as drawn by readers who flip this share of the pixels, and the square."""
    truth = np.zeros((side, side), bool)
    truth[side // 4 : side // 2, side // 4 : side // 2] = True
    rng = np.random.default_rng(seed)
    drawn = [truth ^ (rng.random(truth.shape) < share) for share in noise]
    return np.stack(drawn).astype(dtype), truth


def images(stack):
    return [sitk.GetImageFromArray(one) for one in stack]


@pytest.mark.parametrize("noise", [(0.05, 0.1, 0.2), (0.02, 0.3, 0.1, 0.15), (0.1,) * 7])
def test_binary_equals_simpleitk_over_the_whole_image(noise):
    stack, _ = squares(noise)
    oracle = sitk.STAPLEImageFilter()
    oracle.SetForegroundValue(1)
    probability = sitk.GetArrayFromImage(oracle.Execute(images(stack)))
    iterations = oracle.GetElapsedIterations() + 1  # it counts from 0
    found = staple(stack, everywhere=True, tolerance=-1, iterations=iterations)
    foreground = np.where(found.labels == 1, found.posterior, 1 - found.posterior)
    clear = stack.min(axis=0) != stack.max(axis=0)
    assert foreground[clear] == pytest.approx(probability[clear], abs=1e-6)
    assert found.confusion[:, 1, 1] == pytest.approx(oracle.GetSensitivity(), abs=1e-6)
    assert found.confusion[:, 0, 0] == pytest.approx(oracle.GetSpecificity(), abs=1e-6)
    assert np.array_equal(found.labels[clear] == 1, probability[clear] > 0.5)


def test_planted_sensitivity_and_specificity_come_back():
    truth = np.zeros((400, 400), bool)
    truth[50:300, 50:300] = True
    rng = np.random.default_rng(5)
    sensitivity, specificity = (0.95, 0.8, 0.9), (0.9, 0.97, 0.85)
    drawn = [
        np.where(truth, rng.random(truth.shape) < p, rng.random(truth.shape) > q)
        for p, q in zip(sensitivity, specificity, strict=True)
    ]
    found = staple(np.stack(drawn).astype(np.uint8), everywhere=True)
    assert found.confusion[:, 1, 1] == pytest.approx(sensitivity, abs=0.01)
    assert found.confusion[:, 0, 0] == pytest.approx(specificity, abs=0.01)
    assert ((found.labels == 1) == truth).mean() > 0.95


def test_background_beyond_the_dispute_changes_nothing():
    stack, _ = squares((0.05, 0.1, 0.2))
    wide = np.pad(stack, ((0, 0), (300, 300), (300, 300)))
    small, large = staple(stack), staple(wide)
    assert np.array_equal(large.labels[300:-300, 300:-300], small.labels)
    assert large.confusion == pytest.approx(small.confusion)
    assert large.pixels == small.pixels == (stack.min(axis=0) != stack.max(axis=0)).sum()
    # Fitted everywhere, the padding takes the foreground's prior away.
    assert staple(wide, everywhere=True).prior[1] < 0.1 * staple(stack, everywhere=True).prior[1]


def test_no_label_is_invented():
    """Two readers, two labels: SimpleITK's filter gives undecided pixels a label of their own."""
    stack = np.zeros((2, 8, 8), np.uint8)
    stack[0, 2:6, 2:6], stack[1, 2:6, 2:6] = 3, 7
    invented = sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE(images(stack)))
    assert set(np.unique(invented)) - {0, 3, 7}
    found = staple(stack)
    assert set(np.unique(found.labels)) == {0, 3}
    assert found.labels.dtype == np.uint8
    assert found.posterior[3, 3] == pytest.approx(0.5)


def test_only_labels_given_at_a_pixel_are_chosen():
    rng = np.random.default_rng(7)
    truth = np.repeat(np.arange(4), 1000).reshape(50, 80)
    other = rng.integers(0, 4, (3, *truth.shape))
    stack = np.where(rng.random(other.shape) < 0.4, other, truth).astype(np.int16)
    found = staple(stack)
    assert (found.labels[None] == stack).any(axis=0).all()
    assert np.array_equal(found.dissent, (found.labels[None] != stack).sum(axis=0))
    agreed = stack.min(axis=0) == stack.max(axis=0)
    assert (found.posterior[agreed] == 1).all()
    assert np.array_equal(found.labels[agreed], stack[0][agreed])


def plain(stack, classes, iterations):
    """Multi-class STAPLE pixel by pixel in NumPy, with products."""
    one_hot = (stack.reshape(len(stack), -1)[..., None] == np.arange(classes)).astype(float)
    weight = one_hot.mean(axis=0)
    prior = weight.mean(axis=0)
    for _ in range(iterations):
        theta = np.einsum("nk,rnl->rkl", weight, one_hot)
        theta /= theta.sum(axis=2, keepdims=True)
        weight = prior * np.einsum("rnl,rkl->rnk", one_hot, theta).prod(axis=0)
        weight /= weight.sum(axis=1, keepdims=True)
    return weight


def test_multi_class_equals_a_plain_implementation():
    rng = np.random.default_rng(9)
    truth = np.repeat(np.arange(3), 400).reshape(30, 40)
    drawn = [
        np.where(rng.random(truth.shape) < share, rng.integers(0, 3, truth.shape), truth)
        for share in (0.2, 0.3, 0.4, 0.5)
    ]
    stack = np.stack(drawn).astype(np.uint8)
    found = staple(stack, everywhere=True, iterations=25, tolerance=-1)
    weight = plain(stack, 3, 25).reshape(30, 40, 3)
    chosen = np.take_along_axis(weight, found.labels[..., None].astype(int), axis=2)[..., 0]
    assert found.posterior == pytest.approx(chosen, abs=1e-6)


def test_pixels_not_judged_are_left_out():
    stack, _ = squares((0.05, 0.1, 0.2))
    holed = np.concatenate([stack, np.full((1, 64, 64), 255, np.uint8)])
    found = staple(holed, missing=255)
    assert np.array_equal(found.labels, staple(stack).labels)
    holed[:, :5] = 255
    found = staple(holed, missing=255)
    assert (found.labels[:5] == 255).all()
    assert np.isnan(found.posterior[:5]).all()
    assert (found.dissent[:5] == 0).all()
    assert found.values.tolist() == [0, 1]


def test_readers_who_agree_are_right():
    stack = np.tile(np.arange(6, dtype=np.int32).reshape(2, 3) * 100_000, (3, 1, 1))
    found = staple(stack)
    assert np.array_equal(found.labels, stack[0])
    assert found.pixels == 0
    assert found.converged
    assert (found.posterior == 1).all()


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (np.zeros((4, 4), np.uint8), "stack of label images"),
        (np.zeros((2, 4, 4)), "whole numbers"),
        (np.full((2, 4, 4), 9, np.uint8), "nobody judged any pixel"),
    ],
)
def test_what_is_no_stack_is_refused(stack, message):
    with pytest.raises(TableError, match=message):
        staple(stack, missing=9)
