"""A synthetic cohort with known truth: tissue, stains, scanners and their mishaps.

    plan_cohort → SlidePlan ── make_scene → Scene (µm, no pixels) ── truth_tables
                                              │
                              render (any block, any scanner)
                                              │
                     write_slide / write_svs (SVS-like pyramidal TIFF)

Everything follows from one seed. Only the demo and the tests import this package.
"""

from curatome.phantom.cohort import CohortTruth, make_cohort, write_slide
from curatome.phantom.optics import SCANNERS, SITES, Scanner, Site
from curatome.phantom.plan import Case, SlidePlan, plan_cohort
from curatome.phantom.render import render
from curatome.phantom.scene import Scene, make_scene
from curatome.phantom.svs import SvsOptions, write_svs
from curatome.phantom.truth import truth_tables

__all__ = [
    "SCANNERS",
    "SITES",
    "Case",
    "CohortTruth",
    "Scanner",
    "Scene",
    "Site",
    "SlidePlan",
    "SvsOptions",
    "make_cohort",
    "make_scene",
    "plan_cohort",
    "render",
    "truth_tables",
    "write_slide",
    "write_svs",
]
