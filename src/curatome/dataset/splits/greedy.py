"""A division by iterative stratification, mended by moves and swaps.

Sechidis, Tsoumakas & Vlahavas, On the stratification of multi-label data, 2011
(10.1007/978-3-642-23808-6_10): the rarest stratum first, each unit to where it is most wanted.
"""

from __future__ import annotations

import numba
import numpy as np

from curatome.dataset.splits.counts import Floats
from curatome.dataset.splits.objective import FREE, Flags, Problem, Whole

_TRIES = 400  # moves and swaps for each unit
_MOST_TRIES = 4_000_000


def solve(task: Problem, seed: int) -> Whole:
    """(U,) split of each unit.

    Args:
        task: the problem.
        seed: decides ties, and which moves and swaps are tried.
    """
    rng = np.random.default_rng([seed, 2])
    split = _stratify(task, rng)
    return _mended(task, split, rng)


def _stratify(task: Problem, rng: np.random.Generator) -> Whole:
    units = len(task.values)
    split = task.fixed.copy()
    wanted = task.fractions[None, :] - task.held(split)
    left = split == FREE
    carriers = task.holds[left].sum(axis=0)
    for stratum in np.argsort(np.where(carriers > 0, carriers, units + 1), kind="stable"):
        mine = np.flatnonzero(task.holds[:, stratum] & (split == FREE))
        # Of one stratum, the units that hold most of it first; they are the hardest to place.
        mine = rng.permutation(mine)
        mine = mine[np.argsort(-task.values[mine, stratum], kind="stable")]
        for unit in mine:
            place = _most_wanted(wanted, stratum, task.fractions, rng)
            split[unit] = place
            wanted[:, place] -= task.values[unit]
    rest = np.flatnonzero(split == FREE)
    split[rest] = rng.choice(len(task.fractions), len(rest), p=task.fractions)
    return split


def _most_wanted(wanted: Floats, stratum: int, fractions: Floats, rng: np.random.Generator) -> int:
    order = rng.permutation(np.flatnonzero(fractions > 0))
    overall = wanted[:, order].sum(axis=0)
    best = np.lexsort((-overall, -np.round(wanted[stratum, order], 12)))[0]
    return int(order[best])


def _mended(task: Problem, split: Whole, rng: np.random.Generator) -> Whole:
    """Moves and swaps, tried at random, that make the cost less."""
    free = np.flatnonzero(task.fixed == FREE)
    wanted = np.flatnonzero(task.fractions > 0)
    if not len(free) or len(wanted) < 2:
        return split
    tries = min(_MOST_TRIES, _TRIES * len(free))
    pick = np.stack([rng.choice(free, tries), rng.choice(free, tries), rng.choice(wanted, tries)])
    _improve(
        task.values,
        task.holds,
        (task.held(split) - task.fractions, task.units(split)),
        task.required,
        (split, pick),
    )
    return split


@numba.njit(cache=True)
def _improve(
    values: Floats,
    holds: Flags,
    sums: tuple[Floats, Whole],
    required: Flags,
    state: tuple[Whole, Whole],
) -> None:  # pragma: no cover - compiled
    """Changes `split`, and with it how far each place is off and how many units it has."""
    off, units = sums
    split, pick = state
    for k in range(pick.shape[1]):
        a, b = pick[0, k], pick[1, k]
        here = split[a]
        swap = k % 2 == 1
        there = split[b] if swap else pick[2, k]
        if here == there:
            continue
        gain = 0.0
        for s in range(values.shape[1]):
            step = values[a, s] - (values[b, s] if swap else 0.0)
            count = int(holds[a, s]) - (int(holds[b, s]) if swap else 0)
            if step == 0.0 and count == 0:
                continue
            gain += abs(off[s, here]) - abs(off[s, here] - step)
            gain += abs(off[s, there]) - abs(off[s, there] + step)
            if required[s, here]:
                gain += int(units[s, here] == 0) - int(units[s, here] - count == 0)
            if required[s, there]:
                gain += int(units[s, there] == 0) - int(units[s, there] + count == 0)
        if gain <= 1e-12:
            continue
        for s in range(values.shape[1]):
            step = values[a, s] - (values[b, s] if swap else 0.0)
            count = int(holds[a, s]) - (int(holds[b, s]) if swap else 0)
            off[s, here] -= step
            off[s, there] += step
            units[s, here] -= count
            units[s, there] += count
        split[a] = there
        if swap:
            split[b] = here
