"""SIZ: regions and objects are large enough, and as large as their class."""

from curatome.rules.size import objects, regions

RULES = (*regions.RULES, *objects.RULES)
