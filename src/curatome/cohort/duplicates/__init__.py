"""Near-duplicates: images that are another one, turned, compressed again or brightened.

    perceptual_hash, jpeg_hash → hashes (N,) ── near_pairs → Pairs ── similarities → (P,)
                                                     │ those that the pixels confirm
                                             duplicate_groups → Groups ── crossing

`near_duplicates` does it in one step and gives table `tables.NEAR_DUPLICATES`. Exact copies are
found by content hashes, `curatome.tiles.duplicates`. Cells cut out on white are hashed
`without_ground`.
"""

from curatome.cohort.duplicates.confirm import (
    LEAST_SIMILARITY,
    detail,
    near_duplicates,
    similarities,
    similarity,
)
from curatome.cohort.duplicates.groups import ALONE, Groups, crossing, duplicate_groups
from curatome.cohort.duplicates.hashing import (
    LEAST_CONTRAST,
    NO_CONTENT,
    contrasts,
    jpeg_hash,
    perceptual_hash,
)
from curatome.cohort.duplicates.reduce import is_cut_out, without_ground
from curatome.cohort.duplicates.search import Pairs, TooManyPairs, near_pairs
from curatome.cohort.duplicates.symmetry import hash_distances, turned, turned_hashes

__all__ = [
    "ALONE",
    "LEAST_CONTRAST",
    "LEAST_SIMILARITY",
    "NO_CONTENT",
    "Groups",
    "Pairs",
    "TooManyPairs",
    "contrasts",
    "crossing",
    "detail",
    "duplicate_groups",
    "hash_distances",
    "is_cut_out",
    "jpeg_hash",
    "near_duplicates",
    "near_pairs",
    "perceptual_hash",
    "similarities",
    "similarity",
    "turned",
    "turned_hashes",
    "without_ground",
]
