"""CLN: outlines hold what their class says, and nothing else.

    annotations ── drawn ─→ shapes ── fields ─→ pixels, cover ── fit ─→ offset, shift, … ── scores
                                               │
                       likeness (how much a pixel looks like the objects of its image)
                       profiles (likeness along normals), edges (the best closed path)

Scores take arrays and give numbers; the rules in `lines`, `overlaps` and `content` make findings
of them.
"""

from curatome.rules.clean.content import GLASS, MIXED
from curatome.rules.clean.lines import LOOSE, SHIFTED, TIGHT
from curatome.rules.clean.overlaps import OVERLAP

RULES = (LOOSE, TIGHT, SHIFTED, OVERLAP, MIXED, GLASS)
