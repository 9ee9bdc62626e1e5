"""Lint for datasets: what may be wrong with slides, annotations, items and splits.

    Inputs (tables, settings, pixels on demand) ── RULES ── check → findings

A rule is one object: its code, what it needs, how it looks, and the text that explains it. Rules
of one family lie in one module. `curatome check` runs them over a project.
"""
