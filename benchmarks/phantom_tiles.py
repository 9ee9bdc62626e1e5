"""Tiles of real and of synthetic H&E slides at one scale, for benchmarks.phantom."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openslide
import simplejpeg
from benchmarks.tile_statistics import density, tissue_share
from PIL import Image

from curatome.phantom import Scene, make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort

Pixels = npt.NDArray[np.uint8]

SIDE, MPP = 224, 0.5
"""Edge of a tile, px, and its scale, µm/px."""
RICH = 0.5
"""Least share of tissue in a tile."""
SLIDES = (
    ("CMU-1", "slides/aperio/cmu-1-small-region.svs"),
    ("TCGA", "slides/aperio/tcga-cr-7395-01a-01-ts1.svs"),
)
_CUT = 72
"""No real source gives more tiles than this, so that none outweighs the others."""


@dataclass(frozen=True)
class Tile:
    """A tile: where it is from, which slide or source image, what it shows."""

    source: str
    group: str
    kind: str
    pixels: Pixels


def _cut(image: Pixels) -> list[Pixels]:
    rows, columns = image.shape[0] // SIDE, image.shape[1] // SIDE
    return [
        image[j * SIDE : (j + 1) * SIDE, i * SIDE : (i + 1) * SIDE]
        for j in range(rows)
        for i in range(columns)
    ]


def _thinned(tiles: list[Tile]) -> list[Tile]:
    """Tissue-rich tiles, at most `_CUT`, evenly from first to last."""
    rich = [tile for tile in tiles if tissue_share(tile.pixels) >= RICH]
    pick = np.unique(np.linspace(0, len(rich) - 1, min(_CUT, len(rich))).round().astype(int))
    return [rich[i] for i in pick]


def read(path: Path) -> Pixels:
    """An image file as (H, W, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def has_eosin(image: Pixels, mask: npt.NDArray[np.integer]) -> bool:
    """Whether what is stained beside the nuclei takes away more blue than red, as eosin does.

    Violet and magenta single stains (Giemsa, toluidine, crystal violet) take away more red.
    """
    od = density(image)[(mask == 0) & (density(image).mean(axis=2) > 0.10)]
    return len(od) > 1000 and float(np.median(od[:, 2]) / np.median(od[:, 0])) > 1.2


def purple_images(data: Path) -> list[tuple[str, Pixels, npt.NDArray[np.integer]]]:
    """dsb2018-brightfield's images of kind `he_purple_light` with their masks."""
    folder = data / "nuclei/dsb2018-brightfield"
    with (folder / "images.csv").open(newline="") as stream:
        names = [row["image"] for row in csv.DictReader(stream) if "purple" in row["kind"]]
    return [
        (n, read(folder / f"images/{n}.png"), np.asarray(Image.open(folder / f"masks/{n}.png")))
        for n in names
    ]


def _folder(data: Path, name: str) -> list[Tile]:
    tiles = []
    for path in sorted((data / "images" / name).rglob("*.jpg")):
        kind, _, rest = path.stem.partition("___")
        # Osteosarcoma: case and block lead the name; CRC: one patient per tile as far as is told.
        group = rest if name.startswith("crc") else "-".join(rest.split("-")[:4])
        tiles += [Tile(name, f"{name} {group}", kind, cut) for cut in _cut(read(path))]
    return tiles


def _slide(data: Path, name: str, path: str) -> list[Tile]:
    with openslide.OpenSlide(str(data / path)) as slide:
        whole = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    return [Tile(name, name, "slide", cut) for cut in _cut(whole)]


def real_tiles(data: Path) -> list[Tile]:
    """Tissue-rich H&E tiles of all real sources at about 0.5 µm/px."""
    out = _thinned(_folder(data, "crc-he-7k")) + _thinned(_folder(data, "osteosarcoma"))
    for name, path in SLIDES:
        out += _thinned(_slide(data, name, path))
    for name, image, mask in purple_images(data):
        if has_eosin(image, mask):
            out += [Tile("dsb2018", f"dsb2018 {name}", "color only", image[:SIDE, :SIDE])]
    return out


def scenes(slides: int, seed: int, side_um: float) -> Iterator[Scene]:
    """Scenes of a designed cohort's H&E slides, from all sites, scanners and diagnoses."""
    design = CohortDesign(cases=slides, slides_per_case=(1.0,), biopsies=0.0)
    for plan in design_cohort(design, seed).plans(side_um):
        yield make_scene(plan)


def tile_of(scene: Scene, center: tuple[float, float]) -> Pixels:
    """A tile around a place (µm) as it comes out of the slide's file, at `MPP`."""
    scanner = scene.plan.optics
    side = round(SIDE * MPP / scanner.mpp)
    left, top = (round(c / scanner.mpp - side / 2) for c in center)
    block = render(scene, scanner, (left, top, side, side))
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(block), scanner.quality, "RGB", "420", fastdct=True
    )
    image = Image.fromarray(simplejpeg.decode_jpeg(data))
    if abs(scanner.mpp / MPP - 1) < 0.02:
        # Real slides of 0.499 µm/px are not resampled either.
        return np.asarray(image.crop((0, 0, SIDE, SIDE))) if side >= SIDE else _grown(image)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def _grown(image: Image.Image) -> Pixels:
    short = SIDE - image.height
    return np.pad(np.asarray(image), ((0, short), (0, short), (0, 0)), mode="reflect")


def place(scene: Scene, rng: np.random.Generator, turn: int) -> tuple[float, float]:
    """A place (µm) on a slide: anywhere, and at every odd turn on a region that is not stroma.

    The region's class is drawn first, so that rare classes are seen as often as common ones.
    """
    size = np.array((scene.plan.width_um, scene.plan.height_um))
    margin, kinds = 0.6 * SIDE * MPP, scene.regions.kind
    center = rng.uniform(margin, size - margin)
    if turn % 2 and len(kinds):
        chosen = np.flatnonzero(kinds == rng.choice(np.unique(kinds)))
        center = scene.regions.center[rng.choice(chosen)] + rng.normal(0, 20.0, 2)
    x, y = np.clip(center, margin, size - margin)
    return float(x), float(y)


def phantom_tiles(scene: Scene, count: int) -> list[Tile]:
    """Tissue-rich tiles of a scene."""
    rng = np.random.default_rng(scene.plan.seed)
    plan, out = scene.plan, []
    for turn in range(6 * count):
        pixels = tile_of(scene, place(scene, rng, turn))
        if tissue_share(pixels) >= RICH:
            out.append(Tile("phantom", plan.name, plan.case.diagnosis, pixels))
        if len(out) == count:
            break
    return out
