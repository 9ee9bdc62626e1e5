"""Everybody at once."""

from __future__ import annotations

import pyarrow as pa
import pytest

from curatome.agreement.drift import CHANGES, CONTROL_CHART, watch
from curatome.errors import TableError
from tests.agreement.drift.made import CHANGED, table


def test_the_reader_who_changed_is_named():
    both = pa.concat_tables([table(1, name="ann"), table(1, CHANGED, name="joe")])
    found = watch(both)
    assert found.charts.schema.equals(CONTROL_CHART.schema)
    assert found.changes.schema.equals(CHANGES.schema)
    assert set(found.changes["reader"].to_pylist()) == {"joe"}
    assert "margin_um" in found.changes["quantity"].to_pylist()
    p = {one.subject: one.value for one in found.stability}
    assert p["reader joe, margin_um"] <= 0.05 < p["reader ann, margin_um"]
    assert len(found.trends) == len(found.stability) == 8
    assert set(found.charts["reader"].to_pylist()) == {"ann", "joe"}


def test_what_is_not_there_is_told():
    with pytest.raises(TableError, match="no column time"):
        watch(table(1).drop_columns(["time"]))
