from __future__ import annotations

import dataclasses
from datetime import timedelta

import numpy as np
import pytest

from curatome.phantom import plan_cohort
from curatome.phantom.code128 import code128
from curatome.phantom.labels import (
    LABELS,
    _font,
    aperio_identity,
    dicom_identity,
    label_image,
    label_rows,
    make_label,
    metadata_rows,
)
from curatome.phantom.macro import label_on_glass, macro_image
from curatome.phantom.people import _FAMILY, _GIVEN, _HOSPITALS, patient_of

zxing = pytest.importorskip("zxingcpp", reason="zxing-cpp decodes the codes")


@pytest.fixture(scope="module")
def plans():
    return plan_cohort(3, 12)


@pytest.fixture(scope="module")
def labels(plans):
    return [make_label(plan) for plan in plans]


def _decoded(pixels):
    found = zxing.read_barcodes(pixels)
    return {
        str(code.format).rsplit(".", maxsplit=1)[-1].replace(" ", ""): code.text for code in found
    }


def test_a_foreign_decoder_reads_both_codes(plans, labels):
    for plan, label in zip(plans, labels, strict=True):
        patient = patient_of(plan.case)
        codes = _decoded(label.pixels)
        assert codes["Code128"] == patient.accession
        assert codes["QRCode"] == f"{patient.accession}|{plan.block}|{patient.number}"
        carried = {m.style: m.text for m in label.marks if m.style in ("qr", "barcode")}
        assert carried == {"barcode": codes["Code128"], "qr": codes["QRCode"]}


def test_codes_are_read_from_the_macro_image_too(labels):
    overview = np.full((700, 900, 3), 240, np.uint8)
    for label in labels:
        macro = macro_image(label, overview)
        assert macro.shape == (430, 1280, 3)
        glass = label_on_glass(label)
        x, y, width, height = next(m.box for m in glass.marks if m.style == "qr")
        box = np.s_[int(y) - 8 : int(y + height) + 9, int(x) - 8 : int(x + width) + 9]
        enlarged = np.kron(macro[box], np.ones((3, 3, 1), np.uint8))
        assert _decoded(enlarged)["QRCode"] == next(m.text for m in label.marks if m.style == "qr")


def test_all_ink_lies_in_the_boxes_and_every_box_holds_ink(labels):
    for label in labels:
        gray = label.pixels.mean(axis=2)
        paper = np.median(gray)
        dark = gray < paper - 40
        boxed = np.zeros_like(dark)
        for mark in label.marks:
            x, y, width, height = (int(v) for v in mark.box)
            place = np.s_[y : y + height, x : x + width]
            boxed[place] = True
            ink = gray[place] < paper - 25
            assert all(edge.any() for edge in (ink[:, 0], ink[:, -1], ink[0], ink[-1]))
        assert not dark[~boxed].any()


def test_codes_stay_clear_of_all_else(labels):
    for label in labels:
        for code in label.marks:
            if code.style in ("qr", "barcode"):
                x, y, width, height = code.box
                for other in label.marks:
                    a, b, c, d = other.box
                    apart = a >= x + width + 8 or a + c + 8 <= x or b >= y + height or b + d <= y
                    assert other is code or apart


def test_boxes_on_the_glass_frame_the_same_ink(labels):
    overview = np.full((500, 700, 3), 240, np.uint8)
    for label in labels[:4]:
        macro = macro_image(label, overview).mean(axis=2)
        for mark, turned in zip(label.marks, label_on_glass(label).marks, strict=True):
            x, y, width, height = mark.box
            if min(width, height) < 25:
                continue  # its rim, cut by a part of a pixel, would decide
            own = label.pixels.mean(axis=2)[int(y) : int(y + height), int(x) : int(x + width)]
            x, y, width, height = (round(v) for v in turned.box)
            seen = macro[y : y + height, x : x + width]
            assert seen.mean() == pytest.approx(own.mean(), abs=12)


def test_slides_of_a_case_name_one_patient_of_its_age_and_sex(plans):
    for plan in plans:
        patient = patient_of(plan.case)
        assert patient == patient_of(dataclasses.replace(plan, block="B").case)
        years = (patient.received - patient.birth) / timedelta(days=365.25)
        assert plan.case.age < years < plan.case.age + 1
        assert patient.given in _GIVEN[plan.case.sex]
    assert len({patient_of(plan.case).accession for plan in plans}) == 10


def test_the_font_has_the_letters_of_all_names():
    texts = [*_FAMILY, *(name.upper() for name in _FAMILY), *_GIVEN["F"], *_GIVEN["M"]]
    missing = bytes(_font(20).getmask("\uffff"))
    for letter in set("".join([*texts, *_HOSPITALS.values()])) - {" "}:
        assert bytes(_font(20).getmask(letter)) != missing


def test_the_same_plan_gives_the_same_label(plans):
    assert np.array_equal(label_image(plans[0]), label_image(plans[0]))
    assert not np.array_equal(label_image(plans[0]), label_image(plans[1]))


def test_truth_says_what_stands_where(plans, labels):
    plan, label = plans[0], labels[0]
    patient = patient_of(plan.case)
    rows = label_rows(plan, label) + label_rows(plan, label_on_glass(label), "macro")
    rows += metadata_rows(plan, aperio_identity(plan)) + metadata_rows(plan, dicom_identity(plan))
    table = LABELS.from_rows(rows).to_pylist()
    named = [row for row in table if row["kind"] == "name"]
    assert {row["image"] for row in named} == {"label", "macro", "metadata"}
    assert all(patient.family.split()[0].lower() in row["text"].lower() for row in named)
    assert all((row["field"] is None) == (row["image"] != "metadata") for row in table)
    assert {"birth", "number", "accession", "date", "staff"} <= {row["kind"] for row in table}


@pytest.mark.parametrize("seed", range(8))
def test_code_128_carries_any_printable_text(seed):
    rng = np.random.default_rng(seed)
    text = "".join(chr(c) for c in rng.integers(33, 127, rng.integers(1, 24)))
    bars = np.pad(np.repeat(code128(text), 3), 40)
    picture = np.tile(np.where(bars, 0, 255).astype(np.uint8), (60, 1))
    assert _decoded(np.pad(picture, ((20, 20), (0, 0)), constant_values=255)) == {"Code128": text}


@pytest.mark.parametrize("text", ["", "Ä", "a\n"])
def test_what_code_128_cannot_carry_is_refused(text):
    with pytest.raises(ValueError, match="printable ASCII"):
        code128(text)
