"""From a version to something others can use: gates, datasheet, Croissant, sample, checksums.

version ── facts ─┬─ gates (protocol, leaks, stale annotations, errors) → may it be released?
├─ datasheet, README, CITATION.cff, LICENSE
├─ croissant.json (1.1 with the RAI vocabulary)
└─ sample
"""
