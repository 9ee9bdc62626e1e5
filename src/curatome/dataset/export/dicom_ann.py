"""DICOM: annotations of each slide as Microscopy Bulk Simple Annotations, by split."""

from __future__ import annotations

from curatome.dataset.export.base import Export
from curatome.dataset.export.dicom_seg import Dicom

EXPORT: Export = Dicom("dicom_ann", "DICOM Microscopy Bulk Simple Annotations")
