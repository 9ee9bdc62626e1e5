"""Classes of nuclei and what each looks like on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.traits import ELONGATION, FREQUENCIES

Floats = NDArray[np.float64]

CLASSES = (
    *("epithelial", "tumor", "lymphocyte", "stromal", "mitosis", "debris"),
    *("apoptotic", "pyknotic", "hyperchromatic", "plasma", "macrophage", "endothelial"),
    *("spindle", "lymphoma"),
)
EPITHELIAL, TUMOR, LYMPHOCYTE, STROMAL, MITOSIS, DEBRIS = range(6)
APOPTOTIC, PYKNOTIC, HYPERCHROMATIC, PLASMA, MACROPHAGE, ENDOTHELIAL = range(6, 12)
SPINDLE, LYMPHOMA = 12, 13
LOOKALIKES = ("apoptotic", "pyknotic", "hyperchromatic")
"""Classes that are taken for mitoses."""

PHASES = ("", "prometaphase", "metaphase", "anaphase")
_, PROMETAPHASE, METAPHASE, ANAPHASE = range(len(PHASES))
PHASE_SIZES = np.array([[0.0, 0.0], [8.2, 7.0], [10.0, 3.3], [8.6, 2.5]])
"""Long and short axis (µm) of each phase's chromosomes; in anaphase, of one of the two plates."""

_EPITHELIUM = np.where(np.arange(len(FREQUENCIES)) == ELONGATION, FREQUENCIES, 0.12 * FREQUENCIES)
TRAIT_FREQUENCIES = {TUMOR: FREQUENCIES, EPITHELIAL: _EPITHELIUM}
"""How often each trait is present in the classes that are graded; others have none.

Tumor nuclei carry all as often as the thyroid dataset's. Nuclei of normal epithelium are as often
elongated, but the other traits are rare.
"""

SIZES = np.array(
    [
        [9.9, 0.20, 0.00, 0.00, 0.00],  # epithelial: the axis ratio follows from elongation
        [10.0, 0.16, 0.00, 0.00, 0.00],  # tumor: likewise
        [7.5, 0.20, 0.55, 0.97, 0.00],  # lymphocyte
        [10.4, 0.24, 0.18, 0.46, 0.44],  # stromal
        [1.0, 0.08, 1.00, 1.00, 0.00],  # mitosis: times the size of its phase
        [2.4, 0.35, 0.50, 1.00, 0.00],  # debris
        [3.6, 0.18, 0.80, 1.00, 0.00],  # apoptotic
        [5.2, 0.18, 0.60, 0.95, 0.00],  # pyknotic
        [11.5, 0.18, 0.55, 0.90, 0.00],  # hyperchromatic
        [8.0, 0.17, 0.62, 0.97, 0.00],  # plasma
        [9.8, 0.17, 0.48, 0.85, 0.00],  # macrophage
        [8.6, 0.20, 0.24, 0.48, 0.42],  # endothelial
        [11.4, 0.18, 0.20, 0.42, 0.32],  # spindle
        [11.2, 0.18, 0.48, 0.97, 0.00],  # lymphoma
    ]
)
"""For each class, of the whole nucleus, before it is cut: median equivalent diameter of its largest
profile (µm; of graded classes: when not enlarged), its spread (log), the least and greatest ratio
of short to long axis, and the spread (radians) of its long axis's tilt out of the section.

Seen in the section they are smaller: lymphocytes about 7 µm, activated ones up to 10; columnar
epithelium 6 to 12; tumor cells 9 to 15, cut ones less and enlarged ones more; fibroblasts 12 to 18
by 4 to 5 where they lie flat, shorter and rounder where they are cut."""

CHROMATIN = np.array(
    [
        [0.72, 0.35, 0.3],  # epithelial
        [0.72, 0.55, 1.1],  # tumor
        [0.92, 0.60, 0.0],  # lymphocyte
        [0.75, 0.30, 0.1],  # stromal
        [1.45, 0.15, 0.0],  # mitosis
        [0.75, 0.20, 0.0],  # debris
        [1.45, 0.00, 0.0],  # apoptotic
        [1.35, 0.05, 0.0],  # pyknotic
        [1.22, 0.25, 0.0],  # hyperchromatic
        [0.84, 0.55, 0.0],  # plasma
        [0.58, 0.30, 0.5],  # macrophage
        [0.78, 0.30, 0.0],  # endothelial
        [0.66, 0.45, 0.6],  # spindle
        [0.72, 0.65, 0.8],  # lymphoma
    ]
)
"""For each class: uptake of hematoxylin (optical density), coarseness (0 fine, 1 clumped), and mean
number of nucleoli."""
