"""Which classes do not exclude each other: one is a kind of the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from curatome.protocol import Protocol


def ancestry(protocol: Protocol) -> dict[str, frozenset[str]]:
    """Each class of the protocol with all broader ones above it."""
    parent = {one.name: one.parent for one in protocol.classes}
    found = {}
    for name in parent:
        above: list[str] = []
        while (at := parent.get(above[-1] if above else name)) is not None:
            above.append(at)
        found[name] = frozenset(above)
    return found


def exclusive(
    protocol: Protocol, sets: list[tuple[str, ...]], first: npt.ArrayLike, second: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """(P,) whether two sets of labels differ, and not only by how narrow their classes are.

    Args:
        protocol: names the parents of classes.
        sets: combinations of labels.
        first: (P,) index into them.
        second: (P,) index into them.
    """
    above = ancestry(protocol)
    pairs = np.stack([np.asarray(first), np.asarray(second)], axis=1).reshape(-1, 2)
    kinds, of = np.unique(pairs, axis=0, return_inverse=True)
    differ = [_differ(set(sets[a]), set(sets[b]), above) for a, b in kinds.tolist()]
    return np.array(differ, np.bool_)[of.reshape(-1)]


def _differ(mine: set[str], theirs: set[str], above: Mapping[str, frozenset[str]]) -> bool:
    def kin(name: str, others: set[str]) -> bool:
        over = above.get(name, frozenset())
        return any(o == name or o in over or name in above.get(o, ()) for o in others)

    return not (all(kin(n, theirs) for n in mine) and all(kin(n, mine) for n in theirs))
