"""The division of least cost, by an integer program that HiGHS solves.

Units with the same counts are exchangeable, so that one whole number, how many of them go to each
split, stands for all of them. (10.1007/s12532-017-0130-5 for the solver.)
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, hstack, identity, kron, vstack

from curatome.dataset.splits.objective import FREE, Problem, Whole

_LARGEST = 1500  # whole numbers of a program
_NODES = (
    300  # of the search tree: bounds the time, and unlike a time limit gives the same each time
)
_GAP = 0.01
_SHAKE = 1e-5  # of the cost: which of many equally good divisions it is depends on the seed


def solve(task: Problem, seed: int) -> Whole | None:
    """(U,) split of each unit, or None where the program is too large or finds nothing.

    Args:
        task: the problem.
        seed: decides among equals.
    """
    rng = np.random.default_rng([seed, 1])
    key = np.hstack([task.values, task.fixed[:, None]])
    kinds, first, kind, size = np.unique(
        key, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    splits, strata = len(task.fractions), task.values.shape[1]
    if len(kinds) * splits > _LARGEST:
        return None
    values, holds, fixed = kinds[:, :-1], task.holds[first], task.fixed[first]
    numbers, places = len(kinds) * splits, strata * splits
    # Columns: how many of a kind go to a split; how far a place is off; whether it is empty.
    each = csr_array(kron(csr_array(np.eye(len(kinds))), np.ones((1, splits))))
    share = csr_array(kron(values.T, identity(splits)))
    count = csr_array(kron(holds.T.astype(float), identity(splits)))
    target = np.tile(task.fractions, strata)
    none, one = csr_array((places, places)), identity(places, format="csr")
    rows = vstack(
        [
            hstack([each, csr_array((len(kinds), 2 * places))]),
            hstack([share, -one, none]),
            hstack([share, one, none]),
            hstack([count, none, one]),
        ]
    )
    needed = task.required.ravel().astype(float)
    lower = np.concatenate([size, np.full(places, -np.inf), target, needed])
    upper = np.concatenate([size, target, np.full(2 * places, np.inf)])
    least, most = np.zeros((len(kinds), splits)), np.repeat(size[:, None], splits, 1).astype(float)
    kept = fixed != FREE
    least[kept, fixed[kept]] = size[kept]
    shake = _SHAKE * rng.random(numbers) / max(1, len(task.values))
    answer = milp(
        np.concatenate([shake, np.ones(2 * places)]),
        integrality=np.concatenate([np.ones(numbers), np.zeros(2 * places)]),
        bounds=Bounds(
            np.concatenate([least.ravel(), np.zeros(2 * places)]),
            np.concatenate([most.ravel(), np.full(2 * places, np.inf)]),
        ),
        constraints=LinearConstraint(rows.tocsr(), lower, upper),
        options={"node_limit": _NODES, "mip_rel_gap": _GAP},
    )
    if answer.x is None:
        return None
    numbers_of = np.rint(answer.x[:numbers]).astype(int).reshape(len(kinds), splits)
    found = np.empty(len(task.values), np.int64)
    for index, counts in enumerate(numbers_of):
        mine = np.flatnonzero(kind == index)
        found[rng.permutation(mine)] = np.repeat(np.arange(splits), counts)
    return found
