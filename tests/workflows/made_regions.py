"""Sources of region images that tests make themselves, and readings of what was built."""

import io

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from curatome.project import create_project
from curatome.sources import Source, find_source
from curatome.tiles.shards import read_member
from curatome.workflows.added import Wishes
from curatome.workflows.sources import add_source
from tests.sources.made import put

PNG = '[dataset]\ntitle = "regions"\n[build]\ncodec = "png"\n'


def folder_source(name, pattern, **scale):
    return Source.model_validate(
        {
            "name": name,
            "title": name,
            "layout": {"adapter": "folders", "pattern": pattern},
            "scale": scale,
        }
    )


def rows_of(project):
    return pq.read_table(project.build / "regions.parquet").to_pylist()


def pixels_of(project, row):
    data = read_member(project.build / row["shard"], row["offset"], row["length"])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def source_pixels(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def project_with(folder, root, workers, **wishes):
    project = create_project(folder, '[dataset]\ntitle = "regions"\n')
    add_source(project, root, find_source("breakhis"), Wishes(**wishes), workers=workers)
    return project


def breakhis(folder, images=12):
    """Images of BreakHis' size and layout in two scales."""
    root = folder / "BreaKHis_v1"
    for n in range(images):
        mag = (40, 100, 200)[n % 3]
        name = f"benign/SOB/adenosis/x/{mag}X/SOB_B_A-14-2254{n // 6}-{mag}-{n:03d}.png"
        put(root / name, n, (700, 460))
    return root
