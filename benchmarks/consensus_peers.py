"""Dawid–Skene by crowd-kit, in an environment of its own.

    PEER/bin/python consensus_peers.py CODES.npy ITERATIONS OUT.npz

Prints the seconds of `fit` alone; making the DataFrame does not count.
"""

from __future__ import annotations

import sys
import time

import numpy as np


def main() -> None:
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    codes, iterations = np.load(sys.argv[1]), int(sys.argv[2])
    task, worker = np.nonzero(codes >= 0)
    frame = pd.DataFrame({"task": task, "worker": worker, "label": codes[task, worker]})
    model = DawidSkene(n_iter=iterations, tol=-np.inf)
    begun = time.perf_counter()
    model.fit(frame)
    seconds = time.perf_counter() - begun
    posterior = model.probas_.sort_index().sort_index(axis=1).to_numpy()
    labels = model.labels_.sort_index().to_numpy()
    np.savez(sys.argv[3], posterior=posterior, labels=labels)
    print(seconds)


if __name__ == "__main__":
    main()
