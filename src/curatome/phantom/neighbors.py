"""Crowded and overlapping nuclei: who lies beside whom, and how close."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, sample, texture
from curatome.phantom.traits import CROWDING, MARKED, OVERLAPPING, Strengths

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FREE_GAP_UM = 2.0
"""Clear space between graded nuclei that are not crowded; in a crowd it is under 0.6."""
_OTHER_GAP_UM = 0.3
_PATCH_TEXEL_UM = 11.0
_PULL_UM, _PARTNER_UM = 14.0, 16.0
_ROUNDS, _LAST_ROUNDS = 32, 8


@compiled
def _disjoint(first: Integers, second: Integers, count: int) -> NDArray[np.bool_]:
    """Which of the pairs to take, in their order, so that none of `count` points is in two."""
    taken = np.zeros(count, np.bool_)
    out = np.zeros(len(first), np.bool_)
    for n in range(len(first)):
        if not taken[first[n]] and not taken[second[n]]:
            taken[first[n]] = taken[second[n]] = True
            out[n] = True
    return out


def near_pairs(points: Floats) -> Integers:
    """Disjoint pairs (M, 2) of points that lie close together, closest first."""
    if len(points) < 2:
        return np.zeros((0, 2), np.int64)
    away, other = cKDTree(points).query(points, k=min(6, len(points)))
    away, other = away[:, 1:].ravel(), other[:, 1:].ravel().astype(np.int64)
    own = np.repeat(np.arange(len(points)), len(other) // len(points))
    order = np.argsort(away, kind="stable")
    order = order[away[order] < _PARTNER_UM]
    own, other = own[order], other[order]
    return np.column_stack([own, other])[_disjoint(own, other, len(points))]


@compiled
def _patches(field: Texture, points: Floats, texel: float) -> Floats:
    out = np.empty(len(points))
    for n in range(len(points)):
        out[n] = sample(field, points[n, 0] / texel, points[n, 1] / texel + 150.0)
    return out


def _room_for_crowds(points: Floats) -> Floats:
    """Where crowds form (N,): in patches, and where there are neighbors to crowd with."""
    if len(points) < 2:
        return np.zeros(len(points))
    away = cKDTree(points).query(points, k=min(6, len(points)))[0][:, 1:].mean(axis=1)
    out: Floats = _patches(texture(1), points, _PATCH_TEXEL_UM) - 1.5 * away / np.median(away)
    return out


def settle(points: Floats, strengths: Strengths) -> tuple[Strengths, Integers]:
    """Hand nuclei with drawn traits to places so that overlapping ones have a partner.

    Who is crowded lies in patches. Which nuclei there are stays as drawn, so frequencies and
    correlations do; only where more nuclei overlap than find a partner (an odd one, or too few
    places near one another), the weakest of them do not.

    Args:
        points: (N, 2), µm.
        strengths: (N, 9) as drawn.

    Returns:
        Strengths (N, 9) of the places, and each place's partner (N,), -1 where there is none.
    """
    strengths = strengths.copy()
    pairs = near_pairs(points)
    by_overlap = np.argsort(strengths[:, OVERLAPPING], kind="stable")[::-1]
    wanted = int((strengths[:, OVERLAPPING] >= MARKED).sum())
    count = min(wanted // 2, len(pairs))
    strengths[by_overlap[2 * count : wanted], OVERLAPPING] = np.nextafter(np.float32(MARKED), 0)
    partner = np.full(len(points), -1, np.int64)
    partner[pairs[:count]] = pairs[:count, ::-1]
    patch = _room_for_crowds(points)
    out = np.empty_like(strengths)
    overlapping = strengths[:, OVERLAPPING] >= MARKED
    for places, drawn in ((partner >= 0, overlapping), (partner < 0, ~overlapping)):
        where, who = np.flatnonzero(places), np.flatnonzero(drawn)
        crowded = np.argsort(strengths[who, CROWDING], kind="stable")
        out[where[np.argsort(patch[where], kind="stable")]] = strengths[who[crowded]]
    return out, partner


@compiled
def _reach(form: Floats, n: int, dx: float, dy: float) -> tuple[float, float]:
    """Radius of an ellipse toward a unit vector, and how far its tangent across it lies."""
    along = form[n, 2] * dx + form[n, 3] * dy
    across = form[n, 2] * dy - form[n, 3] * dx
    a, b = form[n, 0], form[n, 1]
    u, v, p, q = along / a, across / b, along * a, across * b
    return 1.0 / math.sqrt(u * u + v * v), math.sqrt(p * p + q * q)


@compiled
def _gap(first: float, second: float) -> float:
    """Clear space (µm) between two nuclei of these strengths of crowding, < 0 if not graded."""
    crowd = min(first, second)
    if crowd < 0.0:
        return _OTHER_GAP_UM
    return 0.6 - 0.9 * (crowd - MARKED) if crowd >= MARKED else FREE_GAP_UM


@compiled
def _push(
    points: Floats, form: Floats, ties: tuple[Integers, Integers], traits: Floats, rounds: int
) -> None:
    """Move points in place: apart to their gap, crowds and partners together.

    Args:
        points: (N, 2).
        form: (N, 5), half axes, cosine and sine of the angle, and the outline's excess.
        ties: (P, 2) pairs of near points, and (N,) partners.
        traits: (N, 2), strength of crowding and overlapping; below 0 where a nucleus is not graded.
        rounds: how often.
    """
    pairs, partner = ties
    for turn in range(rounds):
        for p in range(len(pairs)):
            i, j = pairs[p, 0], pairs[p, 1]
            dx, dy = points[j, 0] - points[i, 0], points[j, 1] - points[i, 1]
            away = math.sqrt(dx * dx + dy * dy) + 1e-9
            together = partner[i] == j
            crowd = min(traits[i, 0], traits[j, 0]) >= MARKED and turn < rounds - _LAST_ROUNDS
            reach = form[i, 0] + form[j, 0] + form[i, 4] + form[j, 4]
            if not together and away > reach + (0.5 * _PULL_UM if crowd else FREE_GAP_UM):
                continue
            dx, dy = dx / away, dy / away
            radius_i, far_i = _reach(form, i, dx, dy)
            radius_j, far_j = _reach(form, j, dx, dy)
            if together:
                depth = 0.14 + 0.7 * (min(traits[i, 1], traits[j, 1]) - MARKED)
                move = (1.0 - depth) * (radius_i + radius_j) - away
            else:
                move = far_i + far_j + form[i, 4] + form[j, 4] - away
                move += _gap(traits[i, 0], traits[j, 0])
                if move < 0.0:
                    move *= 0.35 if crowd else 0.0
            points[i, 0] -= 0.4 * move * dx
            points[i, 1] -= 0.4 * move * dy
            points[j, 0] += 0.4 * move * dx
            points[j, 1] += 0.4 * move * dy


def spaced(points: Floats, form: Floats, strengths: Strengths, partner: Integers) -> Floats:
    """Places (N, 2) moved so that crowding and overlap are as the traits say.

    Args:
        points: (N, 2), µm.
        form: (N, 4), half axes (µm), angle, and how much an outline may exceed its ellipse (µm).
        strengths: (N, 9), NaN where a nucleus is not graded.
        partner: (N,), whom each overlaps, or -1.
    """
    out = points.copy()
    graded = ~np.isnan(strengths[:, 0])
    reach = max(2 * float(form[:, 0].max(initial=0.0)), _PARTNER_UM)
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray").astype(np.int64)
    apart = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    room = np.where(graded[pairs].all(axis=1), _PULL_UM / 2, 2 * FREE_GAP_UM)
    near = apart < form[pairs, 0].sum(axis=1) + room
    pairs = pairs[near | (partner[pairs[:, 0]] == pairs[:, 1])]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    traits = np.where(graded[:, None], strengths[:, [CROWDING, OVERLAPPING]], -1.0).astype(float)
    ways = np.cos(form[:, 2]), np.sin(form[:, 2])
    form = np.column_stack([form[:, :2], *ways, form[:, 3]])
    _push(out, form, (pairs, partner), traits, _ROUNDS)
    return out
