"""Values per object put together by case."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curatome.agreement.drift import follow, quantities
from curatome.errors import TableError

DAYS = np.array(["2025-03-01", "2025-01-01", "2025-03-03", "2025-01-01"], "datetime64[us]")


def test_cases_in_order_of_time():
    found = follow([1.0, 2.0, 3.0, np.nan], ["b", "a", "b", "a"], DAYS)
    assert found.total.tolist() == [2, 4]
    assert found.square.tolist() == [4, 10]
    assert found.count.tolist() == [1, 2]
    assert found.months == pytest.approx([0, 60 / 30.4375])
    assert found.mean == 2
    assert found.time(found.months[1]) == np.datetime64("2025-03-02")


def test_a_reference_is_taken_off():
    found = follow([1.0, 1, 0, 0], ["b", "a", "b", "a"], DAYS, reference=[1, 0, 0, np.nan])
    assert found.total.tolist() == [1, 0]
    assert found.count.tolist() == [1, 2]


def test_quantities_without_and_with_consensus():
    plain = pa.table({"label": ["x", "y", None, "x"], "size_um": [1.0, None, 3.0, 4.0]})
    found = quantities(plain)
    np.testing.assert_array_equal(found["share of x"], [1, 0, np.nan, 1])
    np.testing.assert_array_equal(found["size_um"], [1, np.nan, 3, 4])
    found = quantities(plain.append_column("consensus", pa.array(["x", "x", "x", None])))
    np.testing.assert_array_equal(found["excess of x"], [0, -1, np.nan, np.nan])
    np.testing.assert_array_equal(found["agreement"], [1, 0, np.nan, np.nan])
    assert "share of x" not in found


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(TableError, match="one value per object"):
        follow([1.0], ["a", "b"], DAYS[:2])
    with pytest.raises(TableError, match="no object has a value"):
        follow([np.nan], ["a"], DAYS[:1])
    with pytest.raises(TableError, match="row 2: no time"):
        follow([1.0, 2.0], ["a", "b"], np.array(["2025-01-01", "NaT"], "datetime64[us]"))
