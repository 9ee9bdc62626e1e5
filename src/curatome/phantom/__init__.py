"""A synthetic cohort with known truth: tissue, stains, scanners, readers and their mishaps.

    CohortDesign ── design_cohort → DesignedCohort (tables)
                                        │ plans
    plan_cohort ────────────────→ SlidePlan ── make_scene → Scene (µm, no pixels) ── truth_tables
                                                               │
                                                render (any block, any scanner)
                                                               │
                                  write_svs, write_ome_tiff, write_dicom; write_slide, make_cohort

Two parts need no pixels and are imported by their own names: `readers`, `reading`,
`reads_cohort` (who misses, mistakes and outlines what, and how) and `faults` (leaks, wrong
units, other spellings and the like, planted in tables).

    layout      fabric: kinds of tissue; scene, shapes, lesion, normal, ground; cells, nuclei,
                placement, neighbors, sectioning, traits; artifacts: one module per kind
    pixels      uptake, collagen, noise, paint, contours, staining, defocus, optics, render
    people      patients, people, labels, stamp, macro
    files       pyramid, svs, ome_tiff, dicom; cohort
    truth       truth (slides, regions, nuclei, outlines, artifacts), labels, staining
    pictures    specimen: one nucleus among neighbors

Everything follows from one seed. Only the demo, the tests and docs/ import this package.
"""

from curatome.phantom.artifacts import KINDS as ARTIFACT_KINDS
from curatome.phantom.cohort import (
    CohortTruth,
    make_cohort,
    write_cohort,
    write_designed_cohort,
    write_slide,
)
from curatome.phantom.contours import outline
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import DesignedCohort, design_cohort
from curatome.phantom.dicom import DicomOptions, write_dicom
from curatome.phantom.labels import label_image, make_label
from curatome.phantom.macro import macro_image
from curatome.phantom.ome_tiff import OmeOptions, write_ome_tiff
from curatome.phantom.optics import SCANNERS, SITES, Scanner, Site
from curatome.phantom.plan import DIAGNOSES, Case, SlidePlan, plan_cohort
from curatome.phantom.render import render
from curatome.phantom.scene import Scene, make_scene
from curatome.phantom.specimen import draw_nucleus
from curatome.phantom.svs import SvsOptions, write_svs
from curatome.phantom.truth import outlines_table, truth_tables

__all__ = [
    "ARTIFACT_KINDS",
    "DIAGNOSES",
    "SCANNERS",
    "SITES",
    "Case",
    "CohortDesign",
    "CohortTruth",
    "DesignedCohort",
    "DicomOptions",
    "OmeOptions",
    "Scanner",
    "Scene",
    "Site",
    "SlidePlan",
    "SvsOptions",
    "design_cohort",
    "draw_nucleus",
    "label_image",
    "macro_image",
    "make_cohort",
    "make_label",
    "make_scene",
    "outline",
    "outlines_table",
    "plan_cohort",
    "render",
    "truth_tables",
    "write_cohort",
    "write_designed_cohort",
    "write_dicom",
    "write_ome_tiff",
    "write_slide",
    "write_svs",
]
