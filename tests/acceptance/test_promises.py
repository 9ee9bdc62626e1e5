"""Every rule keeps its promise on phantom cohorts that were not used to tune it."""

from __future__ import annotations

import pytest

from tests.rules.promised import PROMISES, score

pytestmark = pytest.mark.acceptance

FEWEST = 20


@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: f"{one.code}, {one.fault}")
def test_a_promise_is_kept(promise) -> None:
    reached = score(promise, promise.promised, promise.seeds)
    assert reached.planted >= FEWEST
    least = 0.9 if promise.short else 0.95
    assert reached.recall >= (1.0 if promise.exact else least), reached
    assert reached.precision >= (1.0 if promise.exact else 0.9), reached
