"""Slide labels that name an invented patient, and where on them each text and code stands.

Whatever stands here is a planted answer for tests of de-identification: `LABELS` says which text
is where, in the label, in the macro image and in the file's metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from curatome.phantom.code128 import code128
from curatome.phantom.people import Patient, hospital_of, patient_of
from curatome.phantom.plan import SlidePlan
from curatome.tables import Column, TableSpec

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 400, 460
"""Size of a label, px."""
_PAPERS = ((250, 250, 247), (253, 247, 214), (224, 238, 248), (250, 228, 226), (228, 244, 226))
_MARKERS = ((24, 36, 110), (20, 20, 22), (120, 20, 24))
_NOTES = ("recut", "deeper x3", "for Dr. Q.", "2nd opinion", "ask IHC", "tumor bd", "REPEAT", "L3")
_FAINT = 40
"""Ink below this, of 255, is the smear of an edge and not counted to a box."""

LABELS = TableSpec(
    "phantom_labels",
    (
        Column("slide", pa.string(), "name of the slide"),
        Column("image", pa.string(), "label, macro or metadata"),
        Column("kind", pa.string(), "name, birth, sex, number, accession, date, … or note"),
        Column("style", pa.string(), "print, hand, barcode, qr or field"),
        Column("text", pa.string(), "what it says, or what the code carries"),
        Column("field", pa.string(), "where in the metadata", nullable=True),
        Column("x", pa.float64(), "left edge", "px of the image", nullable=True),
        Column("y", pa.float64(), "top edge", "px of the image", nullable=True),
        Column("width", pa.float64(), "extent", "px of the image", nullable=True),
        Column("height", pa.float64(), "extent", "px of the image", nullable=True),
    ),
)


@dataclass(frozen=True)
class Mark:
    """One text or code on a label.

    Attributes:
        kind: what it tells: `name`, `birth`, `number`, `accession`, `date`, `stain`, …
        style: `print`, `hand`, `barcode` or `qr`.
        text: what it says, or what the code carries.
        box: left, top, width, height of its ink, px.
    """

    kind: str
    style: str
    text: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A label.

    Attributes:
        pixels: (H, W, 3) uint8.
        marks: what stands on it.
    """

    pixels: Pixels
    marks: tuple[Mark, ...] = ()


@lru_cache(maxsize=32)
def _font(size: int, style: str = "Sans") -> ImageFont.FreeTypeFont:
    """DejaVu, which matplotlib brings along: it has the letters of all our names."""
    fonts = resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf"
    with resources.as_file(fonts / f"DejaVu{style}.ttf") as path:
        return ImageFont.truetype(path, size)


class _Sheet:
    """A label in the making: what is put on it is also written down."""

    def __init__(self, paper: tuple[int, int, int], rng: np.random.Generator) -> None:
        self.image = Image.new("RGB", (WIDTH, HEIGHT), paper)
        self.rng = rng
        self.marks: list[Mark] = []

    def lay(self, kind: str, style: str, text: str, ink: Image.Image, rgb: Sequence[int]) -> None:
        """Press ink (a gray mask of the sheet's size) on the paper."""
        box = ink.point([0] * _FAINT + [255] * (256 - _FAINT)).getbbox()
        if box is not None:
            self.image.paste(tuple(rgb), (0, 0), ink)
            place = (box[0], box[1], box[2] - box[0], box[3] - box[1])
            self.marks.append(Mark(kind, style, text, place))

    def print(self, kind: str, text: str, at: tuple[int, int], size: int) -> None:
        """Print a line, bold if it is large, made smaller until it fits."""
        face = "Sans-Bold" if size >= 30 else "Sans"
        while size > 9 and _font(size, face).getlength(text) > WIDTH - 14 - at[0]:
            size -= 1
        ink = Image.new("L", (WIDTH, HEIGHT))
        ImageDraw.Draw(ink).text(at, text, 255, _font(size, face))
        self.lay(kind, "print", text, ink, (28, 28, 30))

    def hand(self, kind: str, text: str, at: tuple[int, int], size: int) -> None:
        """Write a line by hand: letters that lean and dance, with a marker."""
        ink = Image.new("L", (WIDTH, HEIGHT))
        x, font = float(at[0]), _font(size, "Sans-Oblique")
        rise = self.rng.normal(0, 0.05)
        for letter in text:
            tile = Image.new("L", (2 * size, 2 * size))
            ImageDraw.Draw(tile).text((size // 2, size // 3), letter, 255, font, stroke_width=1)
            tile = tile.rotate(self.rng.normal(4, 6), Image.Resampling.BICUBIC)
            y = at[1] + rise * (x - at[0]) + self.rng.normal(0, 0.05 * size)
            ink.paste(255, (round(x) - size // 2, round(y) - size // 3), tile)
            x += font.getlength(letter) * self.rng.uniform(0.88, 1.08)
        marker = _MARKERS[int(self.rng.integers(len(_MARKERS)))]
        self.lay(kind, "hand", text, ink, marker)

    def modules(
        self, kind: str, style: str, text: str, dark: NDArray[np.bool_], at: tuple[int, int]
    ) -> None:
        """Print a code of (H, W) dark pixels."""
        ink = Image.new("L", (WIDTH, HEIGHT))
        ink.paste(Image.fromarray(dark.astype(np.uint8) * 255), at)
        self.lay(kind, style, text, ink, (18, 18, 20))


def _qr(payload: str, scale: int) -> NDArray[np.bool_]:
    """Dark pixels (H, W) of a QR code without its quiet zone."""
    import segno

    rows = segno.make(payload, error="m", micro=False).matrix
    return np.kron(np.array(rows) > 0, np.ones((scale, scale), bool))


def _print_person(sheet: _Sheet, plan: SlidePlan, patient: Patient) -> None:
    case = plan.case
    sheet.print("hospital", hospital_of(plan.site), (16, 12), 18)
    sheet.print("accession", patient.accession, (16, 38), 38)
    sheet.print("block", f"{plan.block}{1 + plan.seed % 4}", (290, 38), 38)
    sheet.print("name", f"{patient.family.upper()}, {patient.given}", (16, 92), 25)
    sheet.print("birth", f"*{patient.birth:%d.%m.%Y}", (16, 128), 21)
    sheet.print("sex", case.sex, (186, 128), 21)
    sheet.print("number", f"ID {patient.number}", (222, 128), 21)
    sheet.print("stain", plan.stain, (16, 160), 30)
    sheet.print("date", f"{patient.received:%Y-%m-%d}", (150, 168), 20)


def make_label(plan: SlidePlan) -> Label:
    """The label of a slide: printed and written texts, a QR code and a barcode.

    Both codes carry the accession number; the QR code also the block and the patient's number.
    """
    rng = np.random.default_rng([plan.seed, 0x1ABE1])
    patient = patient_of(plan.case)
    sheet = _Sheet(_PAPERS[int(rng.integers(len(_PAPERS)))], rng)
    _print_person(sheet, plan, patient)
    carried = f"{patient.accession}|{plan.block}|{patient.number}"
    sheet.modules("accession", "qr", carried, _qr(carried, 5), (28, 214))
    bars = np.tile(np.repeat(code128(patient.accession), 2), (56, 1))
    left = (WIDTH - bars.shape[1]) // 2
    sheet.modules("accession", "barcode", patient.accession, bars, (left, 388))
    sheet.hand("note", _NOTES[int(rng.integers(len(_NOTES)))], (190, 218), 32)
    if rng.random() < 0.6:
        sheet.hand("name", patient.family.split()[0], (178, 278), 30)
    if rng.random() < 0.4:
        sheet.hand("date", f"{patient.received.day}/{patient.received.month}", (240, 330), 30)
    pixels = np.asarray(sheet.image).astype(np.float32)
    pixels += rng.normal(0, 2.2, pixels.shape[:2])[..., None]
    return Label(pixels.clip(0, 255).round().astype(np.uint8), tuple(sheet.marks))


def label_image(plan: SlidePlan) -> Pixels:
    """Pixels (460, 400, 3) uint8 of a slide's label."""
    return make_label(plan).pixels


def blank_label() -> Label:
    """A label without text: a frame and a pattern of squares, the same on every slide."""
    label = np.full((400, 380, 3), 246, np.uint8)
    label[12:16, 12:-12] = label[-16:-12, 12:-12] = 120
    label[12:-12, 12:16] = label[12:-12, -16:-12] = 120
    squares = np.random.default_rng(7).random((14, 14)) < 0.5
    label[60:228, 106:274] = np.where(np.kron(squares, np.ones((12, 12)))[..., None] > 0, 30, 246)
    return Label(label)


def aperio_identity(plan: SlidePlan) -> dict[str, str]:
    """Fields of an Aperio description that give the patient or the staff away."""
    patient = patient_of(plan.case)
    return {
        "Date": f"{patient.received:%m/%d/%y}",
        "Time": f"{8 + plan.seed % 9:02d}:{plan.seed % 60:02d}:{plan.seed % 59:02d}",
        "User": f"{hospital_of(plan.site).split()[0].lower()}.tech{plan.seed % 7}",
        "Filename": f"{patient.accession}_{patient.family.replace(' ', '')}_{plan.block}",
        "Title": f"{patient.family}, {patient.given}",
    }


def dicom_identity(plan: SlidePlan) -> dict[str, str]:
    """Attributes of a DICOM instance that give the patient or the staff away."""
    patient = patient_of(plan.case)
    return {
        "PatientName": f"{patient.family}^{patient.given}",
        "PatientID": patient.number,
        "PatientBirthDate": f"{patient.birth:%Y%m%d}",
        "PatientSex": plan.case.sex,
        "AccessionNumber": patient.accession,
        "InstitutionName": hospital_of(plan.site),
        "OperatorsName": f"tech{plan.seed % 7}",
        "StudyDate": f"{patient.received:%Y%m%d}",
    }


_FIELDS = {
    "Date": "date",
    "Time": "time",
    "User": "staff",
    "Filename": "name",
    "Title": "name",
    "PatientName": "name",
    "PatientID": "number",
    "PatientBirthDate": "birth",
    "PatientSex": "sex",
    "AccessionNumber": "accession",
    "InstitutionName": "hospital",
    "OperatorsName": "staff",
    "StudyDate": "date",
}


def label_rows(plan: SlidePlan, label: Label, image: str = "label") -> list[dict[str, Any]]:
    """Rows of `LABELS` for what stands on a label, or on it in the macro image."""
    return [
        {
            "slide": plan.name,
            "image": image,
            "kind": mark.kind,
            "style": mark.style,
            "text": mark.text,
            "field": None,
            "x": mark.box[0],
            "y": mark.box[1],
            "width": mark.box[2],
            "height": mark.box[3],
        }
        for mark in label.marks
    ]


def metadata_rows(plan: SlidePlan, identity: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of `LABELS` for `aperio_identity` or `dicom_identity`."""
    nowhere = dict.fromkeys(("x", "y", "width", "height"))
    return [
        {
            "slide": plan.name,
            "image": "metadata",
            "kind": _FIELDS[field],
            "style": "field",
            "text": text,
            "field": field,
            **nowhere,
        }
        for field, text in identity.items()
    ]
