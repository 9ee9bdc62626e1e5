"""SYN: files, fields, shapes and coordinates are what they should be."""

from __future__ import annotations

from curatome.rules.syntax.coordinates import RULES as COORDINATES
from curatome.rules.syntax.fields import RULES as FIELDS
from curatome.rules.syntax.shapes import RULES as SHAPES
from curatome.rules.syntax.vocabulary import RULES as VOCABULARY

RULES = (*SHAPES, *FIELDS, *VOCABULARY, *COORDINATES)
