"""How large nuclei are in a case: what fixation, body site and tumor make of the usual sizes.

Fixing and embedding shrink nuclei, in one institution more than in another; tissues and patients
differ a little; and the nuclei of a neoplasm are as large as its grade has them. Lymphocytes and
what is left of dying cells take part in the first two alone: they are a pathologist's ruler.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.cells import (
    APOPTOTIC,
    CLASSES,
    DEBRIS,
    HYPERCHROMATIC,
    LYMPHOCYTE,
    LYMPHOMA,
    MITOSIS,
    PLASMA,
    PYKNOTIC,
    SPINDLE,
    TUMOR,
)

Floats = NDArray[np.float64]

NEOPLASTIC = (TUMOR, SPINDLE, LYMPHOMA, MITOSIS, HYPERCHROMATIC)
"""Classes whose size follows the grade."""
RULER = (LYMPHOCYTE, PLASMA, DEBRIS, APOPTOTIC, PYKNOTIC)
"""Classes whose size hardly differs between patients."""
_LEAST_SHARE = 0.4
_FURTHEST = 2.0


@dataclass(frozen=True)
class SizeSpread:
    """Standard deviations of what is added to the logarithm of nuclear diameters.

    Attributes:
        site: of the institution, which fixes and embeds.
        place: of the body site.
        case: of the patient.
        grade: of the patient's neoplasm, on its own nuclei alone.
    """

    site: float = 0.0
    place: float = 0.0
    case: float = 0.0
    grade: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a standard deviation of 0 or more. Got {value}.")

    def draw(
        self, rng: np.random.Generator, site: NDArray[np.int64], place: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Two effects (N,) of each case: on all nuclei, and on neoplastic ones besides.

        Normal, cut off at two standard deviations.

        Args:
            rng: source of randomness.
            site: (N,), number of each case's institution.
            place: (N,), number of each case's body site.
        """
        levels = (int(site.max(initial=0)) + 1, int(place.max(initial=0)) + 1, len(site), len(site))
        drawn = [rng.standard_normal(n).clip(-_FURTHEST, _FURTHEST) for n in levels]
        all_nuclei = self.site * drawn[0][site] + self.place * drawn[1][place]
        return all_nuclei + self.case * drawn[2], self.grade * drawn[3]


def class_factors(size: float, grade: float) -> Floats:
    """Diameter (C,) of each of `CLASSES` over the usual.

    Args:
        size: natural logarithm, for all nuclei.
        grade: natural logarithm, for neoplastic nuclei besides.
    """
    share = np.ones(len(CLASSES))
    share[list(RULER)] = _LEAST_SHARE
    own = np.isin(np.arange(len(CLASSES)), NEOPLASTIC)
    out: Floats = np.exp(size * share + grade * own)
    return out
