"""One answer from several readers: labels of items, pixels of regions, outlines of objects.

    Ratings ─┬─ majority, weighted (ties: unresolved, first, senior, random)   ─┐
             ├─ panel (two blinded reads, a third decides)                     ─┼─ Verdict ── table
             └─ dawid_skene (readers' confusion matrices and the truth at once) ─┘
    stacks of label images ── staple
    boxes, polygons of one item each ── boxes, polygons
    skill: how good each reader is, with intervals

`patterns` and `latent` are what makes the last two fast: items judged alike are one item that
counts many times.
"""
