"""Small reports with known content, and the page read back as its elements."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from curatome.findings import Finding, Severity
from curatome.report import FactGroup, ReportData, Sample, ScaleSheet, SlideCard

HOSTILE = "\"><script>alert(1)</script><img src=http://x.example/a onerror=alert(2)>'.svs"
VOID = {"img", "meta", "input", "br", "link", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    path: tuple[str, ...] = field(default_factory=tuple)


class Page(HTMLParser):
    """Every element of a page, with the text within it, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), path=tuple(e.tag for e in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs), path=tuple(e.tag for e in self._open)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data):
        for element in self._open:
            element.text += data

    @property
    def unclosed(self) -> list[str]:
        return [element.tag for element in self._open]

    def tagged(self, tag: str) -> list[Element]:
        return [e for e in self.elements if e.tag == tag]

    def classed(self, name: str) -> list[Element]:
        return [e for e in self.elements if name in (e.attributes.get("class") or "").split()]

    def with_attribute(self, name: str) -> list[Element]:
        return [e for e in self.elements if name in e.attributes]


def jpeg(width: int = 60, height: int = 40, noise: int | None = None, quality: int = 80) -> bytes:
    if noise is None:
        pixels = np.full((height, width, 3), (200, 120, 170), dtype=np.uint8)
    else:
        generator = np.random.default_rng(noise)
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def card(number: int, **changes) -> SlideCard:
    values = {
        "slide": f"{number:016x}",
        "name": f"S{number:04d}.svs",
        "state": "ready",
        "case": f"C{number // 2}",
        "site": "Köln",
        "scanner": "GT450",
        "stain": "H&E",
        "width": 20_000,
        "height": 10_000,
        "mpp": "0.5 µm/px (file)",
        "mpp_x": 0.5,
        "thumbnail": jpeg(),
        "outlines": (((1000, 1000), (9000, 1000), (9000, 8000), (1000, 8000)),),
        "tiles": {"20x": 1200, "10x": 300},
        "tissue_mm2": 1.5,
    }
    return SlideCard(**(values | changes))


def sheet(name: str, side_um: float, tiles: int, samples: int = 3) -> ScaleSheet:
    made = tuple(
        Sample(f"{i:016x}_{name}_{i}_0", f"{i:016x}", jpeg(32, 32), 0.8, f"x {i}, y 0")
        for i in range(samples)
    )
    fractions = np.linspace(0.5, 1.0, 50)
    return ScaleSheet(name, side_um / 256, 256, side_um, tiles, made, 0.5, fractions)


def report() -> ReportData:
    """4 ready, 2 held, 1 refused, 1 unreadable; 2 errors, 3 warnings, 1 note; 6,000 tiles."""
    broken = {"tiles": {}, "tissue_mm2": None}
    slides = (
        *(card(i) for i in range(4)),
        card(4, state="held", reason="No scale.", mpp=None, mpp_x=None, **broken),
        card(5, state="held", reason="No scale.", mpp=None, mpp_x=None, **broken),
        card(6, state="refused", reason="Fluorescence.", **broken),
        card(
            7,
            state="unreadable",
            name=HOSTILE,
            thumbnail=None,
            width=None,
            height=None,
            outlines=(),
            **broken,
        ),
    )
    findings = (
        *(
            Finding(
                "ACQ001",
                Severity.WARNING,
                f"slide {i:016x}",
                "No scale.",
                f"Run `curatome slides set-mpp {i:016x} 0.25`.",
            )
            for i in (4, 5)
        ),
        Finding("ACQ012", Severity.WARNING, f"slide {6:016x}", HOSTILE, HOSTILE),
        *(
            Finding(
                "ACQ010",
                Severity.ERROR,
                f"file {n}.svs",
                "Ends early.",
                "Copy it again.",
                evidence={"tile": 417},
            )
            for n in "ab"
        ),
        Finding("COH002", Severity.NOTE, "site Köln", "One scanner.", "Nothing."),
    )
    return ReportData(
        title="Gastric biopsies",
        question="Can it be told?",
        license="CC BY 4.0",
        slides=slides,
        scales=(sheet("20x", 128.0, 4800), sheet("10x", 256.0, 1200)),
        findings=findings,
        facts=(("Took", "4 s"), FactGroup("Host", (("Cores", "8"),))),
        next_steps=(("curatome check", "looks for more"),),
    )
