"""The three Cs of annotations as measures: correctness, completeness, consistency.

    annotations ── matching → items ── ratings → Ratings ─┬─ coefficients  (consistency)
                                                          ├─ consensus     (correctness)
    regions ── segmentation                               └─ completeness
    annotations, reads in time ── drift

All are pure functions on tables and arrays; a project is not needed. Numbers with an interval come
back as `findings.Measure`.
"""
