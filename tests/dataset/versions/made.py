"""A small dataset with shards, to make versions of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curatome.dataset.versions import Draft, VersionInfo, freeze
from curatome.hashes import bytes_hash, file_sha256
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.tables import CASES, ITEMS, SHARDS, SLIDES
from curatome.tiles.shards import ShardWriter, new_shard

TABLES = make_tables(CleanDesign(ObjectDesign(cases=6, slides_per_case=2, objects_per_slide=8)), 1)


@dataclass
class Made:
    """A folder of versions, one of shards, and the rows to freeze."""

    root: Path
    shards: Path
    tables: dict[str, pa.Table]

    def freeze(self, name: str, reason: str = "for a test", **changes: pa.Table) -> VersionInfo:
        tables = {**self.tables, **changes}
        texts = {"curatome.toml": "[dataset]\ntitle = 'x'\n", "certificate.json": "{}"}
        draft = Draft(name, reason, "2025-01-01T00:00:00Z", "2.0", {"curatome": "0"}, tables, texts)
        return freeze(self.root, draft)


def make(folder: Path) -> Made:
    """Shards of random bytes, one for each slide, and the tables about them."""
    shards, rng = folder / "build", np.random.default_rng(5)
    rows, about = [], []
    images = TABLES.images.to_pylist()
    for slide in sorted({row["slide"] for row in images}):
        name = f"shards/L/{slide}-00000.tar"
        mine = [row for row in images if row["slide"] == slide]
        with new_shard(shards / name) as stream:
            writer = ShardWriter(stream)
            for row in mine:
                data = rng.bytes(int(rng.integers(200, 900)))
                offset = writer.add(f"{row['image']}.jpg", data)
                rows.append(_item(row) | _place(name, offset, data))
            writer.finish()
        path = shards / name
        size, sha256 = path.stat().st_size, file_sha256(path)
        about.append({"shard": name, "bytes": size, "sha256": sha256})
    cases = sorted({row["case"] for row in images})
    tables = {
        "items": ITEMS.from_rows(rows),
        "annotations": TABLES.annotations,
        "cases": CASES.from_rows([{"case": c, "fields": json.dumps({"sex": "f"})} for c in cases]),
        "slides": SLIDES.from_rows(
            [
                {"slide": s, "sha256": s, "path": f"{s}.svs", "state": "ready", "case": c}
                for s, c in sorted({(row["slide"], row["case"]) for row in images})
            ]
        ),
        "shards": SHARDS.from_rows(about),
    }
    return Made(folder / "versions", shards, tables)


def _item(row: dict) -> dict:
    same = ("slide", "case", "site", "scanner", "split", "x", "y", "width", "height")
    return {
        **{name: row[name] for name in same},
        "item": row["image"],
        "kind": "tile",
        "labels": [row["label"]],
    }


def _place(shard: str, offset: int, data: bytes) -> dict:
    return {"shard": shard, "offset": offset, "length": len(data), "hash": bytes_hash(data)}
