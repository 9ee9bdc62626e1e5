"""`curatome.toml`, the dataset's standard operating procedure, as frozen models."""

from __future__ import annotations

from curatome.protocol.check import CheckSettings, Suppression
from curatome.protocol.cohort import (
    CASE_FIELDS,
    SLIDE_FIELDS,
    Cohort,
    Field,
    FieldValue,
    TableName,
    parse_field,
)
from curatome.protocol.models import (
    TASKS,
    BuildSettings,
    ClassDefinition,
    DatasetInfo,
    Gate,
    Guideline,
    GuidelineChange,
    Protocol,
    ReadingPlan,
    Split,
    Storage,
    Task,
    TissueSettings,
)
from curatome.protocol.reading import load_protocol, parse_protocol
from curatome.protocol.scales import CPIA_SCALES, Scale, nests
from curatome.protocol.templates import template

__all__ = [
    "CASE_FIELDS",
    "CPIA_SCALES",
    "SLIDE_FIELDS",
    "TASKS",
    "BuildSettings",
    "CheckSettings",
    "ClassDefinition",
    "Cohort",
    "DatasetInfo",
    "Field",
    "FieldValue",
    "Gate",
    "Guideline",
    "GuidelineChange",
    "Protocol",
    "ReadingPlan",
    "Scale",
    "Split",
    "Storage",
    "Suppression",
    "TableName",
    "Task",
    "TissueSettings",
    "load_protocol",
    "nests",
    "parse_field",
    "parse_protocol",
    "template",
]
