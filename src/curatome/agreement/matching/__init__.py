"""Objects of several readers as items, by distance, IoU or overlap.

objects ── criterion (points, shapes) → candidates ── graph → items ── reads → long table
                                                       ├ assignment   two readers
                                                       └ cliques      three and more
regions ── regions → matched, missed, added, split, merged
"""

from curatome.agreement.matching.points import (
    MITOSIS_RADIUS_UM,
    match_points,
    pair_points,
    ranked_hits,
)
from curatome.agreement.matching.reads import NOTHING, item_values, read_table
from curatome.agreement.matching.regions import compare_regions
from curatome.agreement.matching.shapes import match_shapes, pair_shapes

__all__ = [
    "MITOSIS_RADIUS_UM",
    "NOTHING",
    "compare_regions",
    "item_values",
    "match_points",
    "match_shapes",
    "pair_points",
    "pair_shapes",
    "ranked_hits",
    "read_table",
]
