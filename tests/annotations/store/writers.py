"""Processes that write into a store until they are done or killed.

    python writers.py edit WHERE NUMBER COUNT    relabels random annotations COUNT times
    python writers.py import WHERE NUMBER COUNT  imports tables of COUNT annotations, on and on

Each prints what was acknowledged, one batch a line: `first last label`.
"""

import random
import sys

from curatome.annotations.store import Act, Edit, StaleEdit, open_annotations
from tests.annotations.store.made import identity, row, table

SHARED = 50


def edit(store, number, count):
    draw = random.Random(number)
    for step in range(count):
        label = f"{number}/{step}"
        while True:
            name = identity(draw.randrange(SHARED))
            base = store.head()
            try:
                batch = store.apply(
                    [Edit(name, "relabel", base, {"labels": [label]})], Act(f"writer {number}")
                )
            except StaleEdit as error:
                if any(one.present.seq <= base for one in error.stale):
                    sys.exit("refused without need")
                continue
            print(batch.first, batch.last, label, flush=True)
            break


def bring_in(store, number, count):
    for step in range(1_000_000):
        start = (number * 1_000_000 + step) * count + 1000
        label = f"{number}/{step}"
        rows = [row(start + n, n * 20.0, labels=[label]) for n in range(count)]
        batch = store.import_table(table(rows), Act(f"writer {number}"))
        print(batch.first, batch.last, label, flush=True)


if __name__ == "__main__":
    what, where, number, count = sys.argv[1:]
    with open_annotations(where) as opened:
        {"edit": edit, "import": bring_in}[what](opened, int(number), int(count))
