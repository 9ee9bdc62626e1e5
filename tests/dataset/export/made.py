"""A small version with images, shapes and searched regions, of which everything is known.

Each slide is 256 × 256 px at level 0 and has four tiles of scale M, 128 px of the slide in 64 px
of image, so that a shape's corners halve. Slide `aa` lies in split train, `bb` in val, `cc` in
test; `aa` has two tiles of scale S more, and a cell. On `aa` lie

    tumor    32..96 × 32..96, all in tile 0: 16..48 px there, 32 × 32 = 1024 px
    stroma   100..160 × 20..80 with a hole 110..120 × 30..40, in tiles 0 and 1
    mitosis  a point at 200, 200, in tile 3: 36, 36 px there
    unsure   tumor at 140..160 × 100..120 that the reader could not judge, in tile 1
    a line, a proposal of a model, and a label of the whole slide

The left half of `aa` (tiles 0 and 2) was searched for everything, the whole of `bb` for tumor
alone, and nothing of `cc`.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import shapely
from PIL import Image

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.dataset.opening import VersionItems, open_version
from curatome.dataset.versions import Draft, freeze
from curatome.hashes import bytes_hash, file_sha256
from curatome.protocol import BuildSettings
from curatome.tables import ANNOTATIONS, CASES, ITEMS, SHARDS, SLIDES
from curatome.tiles.encode import encode
from curatome.tiles.shards import ShardWriter, new_shard
from curatome.workflows.export_dataset import Wanted, export_version

CLASSES = ("tumor", "stroma", "mitosis")
SPLITS = {"aa": "train", "bb": "val", "cc": "test"}
SIDE = 64
CORNERS = ((0, 0), (128, 0), (0, 128), (128, 128))
LABELS = {"aa": (("tumor",), ("stroma", "tumor"), (), ("mitosis",)), "bb": (("tumor",), (), (), ())}
PROTOCOL = "[dataset]\ntitle = 'x'\n" + "".join(f"[[classes]]\nname = '{c}'\n" for c in CLASSES)
TIME = "2025-01-02T03:04:05+00:00"


def pixels(number: int, side: int = SIDE) -> np.ndarray:
    """The image of an item: noise of its own."""
    return np.random.default_rng(number).integers(0, 255, (side, side, 3), np.uint8)


def make(folder: Path, **changes) -> VersionItems:
    """A project's folder with the version `v1`."""
    rows = [row for slide in SPLITS for row in _items(folder, slide)]
    tables = {
        "items": ITEMS.from_rows(rows),
        "annotations": ANNOTATIONS.from_rows(annotations()),
        "exhaustive": EXHAUSTIVE.from_rows(regions()),
        "cases": CASES.from_rows([{"case": f"C-{s}", "fields": "{}"} for s in SPLITS]),
        "slides": SLIDES.from_rows([_slide(s) for s in SPLITS]),
        "shards": SHARDS.from_rows([_shard(folder, s) for s in SPLITS]),
        **changes,
    }
    texts = {"curatome.toml": PROTOCOL, "certificate.json": "{}"}
    freeze(folder / "versions", Draft("v1", "test", TIME, "1", {"curatome": "0"}, tables, texts))
    return open_version(folder)


def annotations() -> list[dict]:
    stroma = shapely.Polygon(
        shapely.box(100, 20, 160, 80).exterior, [shapely.box(110, 30, 120, 40).exterior]
    )
    return [
        annotation("tumor-1", "polygon", shapely.box(32, 32, 96, 96), ["tumor"]),
        annotation("stroma-1", "polygon", stroma, ["stroma"]),
        annotation("mitosis-1", "point", shapely.Point(200, 200), ["mitosis"]),
        annotation("line-1", "line", shapely.LineString([(5, 5), (9, 9)]), ["tumor"]),
        annotation("whole-1", "whole", None, ["tumor"]),
        annotation("guess-1", "box", shapely.box(0, 0, 20, 20), ["stroma"], basis="proposed"),
        annotation(
            "unsure-1", "polygon", shapely.box(140, 100, 160, 120), ["tumor"], cannot_judge=True
        ),
    ]


def regions() -> list[dict]:
    left = shapely.to_wkb(shapely.box(0, 0, 128, 256))
    return [
        _region("r1", "aa", "box", left, CLASSES),
        _region("r2", "bb", "whole", None, CLASSES[:1]),
    ]


def _region(name, image, kind, geometry, classes) -> dict:
    same = {"reader": "ada", "guideline": "1", "time": None}
    place = {"image": image, "kind": kind, "geometry": geometry}
    return {"region": name, **place, "classes": list(classes), **same}


def annotation(name, kind, shape, labels, **said) -> dict:
    """A row of `tables.ANNOTATIONS` on slide `aa`."""
    plain = {
        "annotation": name,
        "image": "aa",
        "kind": kind,
        "geometry": None if shape is None else shapely.to_wkb(shape),
        "labels": labels,
        "cannot_judge": False,
        "reader": "ada",
        "read": 1,
        "basis": "drawn",
        "parents": [],
        "properties": "{}",
    }
    return plain | said


def _items(folder: Path, slide: str) -> list[dict]:
    """The slide's items, and the shard that holds their images."""
    number = 100 * list(SPLITS).index(slide)
    about = []
    for at, (x, y) in enumerate(CORNERS):
        labels = list(LABELS.get(slide, ((),) * 4)[at])
        about.append((f"{slide}_M_{x // 2}_{y // 2}", "tile", "M", (x, y, 128), SIDE, labels))
    if slide == "aa":
        about += [(f"aa_S_{32 * k}_0", "tile", "S", (64 * k, 0, 64), 32, []) for k in range(2)]
        about.append(("nuclei.v1/aa/7", "cell", None, (40, 40, 16), 16, ["tumor"]))
    rows = []
    with new_shard(folder / f"build/{slide}.tar") as stream:
        shard = ShardWriter(stream)
        for at, (item, kind, scale, (x, y, extent), side, labels) in enumerate(about):
            codec = "jpeg" if at % 2 else "png"
            data = encode(pixels(number + at, side), BuildSettings(codec=codec))
            offset = shard.add(f"{at}", data)
            rows.append(
                {
                    "item": item,
                    "kind": kind,
                    "slide": slide,
                    "case": f"C-{slide}",
                    "scale": scale,
                    "labels": labels,
                    "split": SPLITS[slide],
                    "x": float(x),
                    "y": float(y),
                    "width": float(extent),
                    "height": float(extent),
                    "side_px": side,
                    "mpp_x": 0.5,
                    "mpp_y": 0.5,
                    "shard": f"build/{slide}.tar",
                    "offset": offset,
                    "length": len(data),
                    "hash": bytes_hash(data),
                }
            )
        shard.finish()
    return rows


def _slide(name: str) -> dict:
    return {
        "slide": name,
        "sha256": name,
        "path": f"{name}.svs",
        "state": "ready",
        "case": f"C-{name}",
        "width": 256,
        "height": 256,
        "mpp_x": 0.25,
        "mpp_y": 0.25,
    }


def _shard(folder: Path, slide: str) -> dict:
    path = folder / f"build/{slide}.tar"
    return {
        "shard": f"build/{slide}.tar",
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
    }


def truth(version: VersionItems) -> dict[str, np.ndarray]:
    """The pixels of every item, decoded by Pillow out of its shard."""
    found = {}
    for row in version.table("items").to_pylist():
        data = (version.home / row["shard"]).read_bytes()
        image = data[row["offset"] : row["offset"] + row["length"]]
        found[row["item"]] = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    return found


def write(version: VersionItems, name: str, out: Path, **wanted) -> list[tuple[str, str, str]]:
    """Export in a format; the losses, (subject, field, reason)."""
    report = out.parent / f"{out.name}.csv"
    export_version(version, out, name, Wanted(**wanted), losses=report)
    with report.open() as stream:
        return [tuple(row.values()) for row in csv.DictReader(stream)]


def about(losses: list[tuple[str, str, str]], field: str) -> set[str]:
    """What losses of a field are about."""
    return {subject for subject, other, _ in losses if other == field}
