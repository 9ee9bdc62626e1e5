"""Whatever is done in whatever order: the state is the fold of the events, at every moment."""

import shutil
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from curatome.annotations.store import Edit, StaleEdit, open_annotations
from curatome.annotations.store.schema import current
from tests.annotations.store.made import ANNA, BEN, box, by_id, row, table

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.lists(st.sampled_from(["tumor", "fat"]), max_size=2),
        "geometry": st.integers(0, 3).map(lambda x: box(x * 500, 0)),
        "image": st.sampled_from(["s1", "s2"]),
        "name": st.sampled_from([None, "a"]),
        "confidence": st.sampled_from([None, 0.25]),
    },
)


class Log(RuleBasedStateMachine):
    """A dictionary per event says what the store must hold after it."""

    @initialize()
    def open(self):
        self.folder = Path(tempfile.mkdtemp())
        self.store = open_annotations(self.folder / "a.db")
        self.states = [{}]  # after event 0, 1, …; whole batches only are compared
        self.kept = [{}]  # the same with what deleted ones were last, which restoring brings back
        self.batches = []
        self.known = set()

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def record(self, batch, state, back_to=None):
        """The states within a batch are none that anyone has seen."""
        kept = self.kept[-1] | (self.kept[back_to] if back_to is not None else {}) | state
        self.states += [None] * (len(batch.seqs) - 1) + [state] * bool(batch.seqs)
        self.kept += [None] * (len(batch.seqs) - 1) + [kept] * bool(batch.seqs)
        self.batches.append(batch)

    @property
    def now(self):
        return self.states[-1]

    @rule(count=st.integers(1, 3))
    def bring_in(self, count):
        rows = [row(len(self.known) + n, n * 500.0) for n in range(count)]
        self.known |= {one["annotation"] for one in rows}
        state = self.now | {one["annotation"]: one for one in rows}
        self.record(self.store.import_table(table(rows), ANNA), state)

    @precondition(lambda self: self.now)
    @rule(data=st.data(), several=st.integers(1, 3))
    def edit(self, data, several):
        names = data.draw(st.permutations(sorted(self.now)))[:several]
        changes = {name: data.draw(CHANGES) for name in names}
        edits = [Edit(name, "edit", self.store.head(), changes[name]) for name in names]
        state = self.now | {name: self.now[name] | changes[name] for name in names}
        self.record(self.store.apply(edits, BEN), state)

    @precondition(lambda self: self.now)
    @rule(data=st.data())
    def delete(self, data):
        name = data.draw(st.sampled_from(sorted(self.now)))
        state = {other: one for other, one in self.now.items() if other != name}
        self.record(self.store.apply([Edit(name, "delete", self.store.head())], BEN), state)

    @precondition(lambda self: self.known - set(self.now))
    @rule(data=st.data())
    def restore(self, data):
        name = data.draw(st.sampled_from(sorted(self.known - set(self.now))))
        last = self.kept[-1][name]
        batch = self.store.apply([Edit(name, "restore", self.store.head())], BEN)
        self.record(batch, self.now | {name: last})

    @precondition(lambda self: self.batches)
    @rule()
    def undo_the_latest(self):
        batch = self.batches[-1]
        before = batch.first - 1
        self.record(self.store.undo(batch.batch, ANNA), self.states[before], before)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def undo_another(self, data):
        batch = data.draw(st.sampled_from(self.batches))
        before, after = self.states[batch.first - 1], self.states[batch.last]
        touched = {n for n in {*before, *after} if before.get(n) != after.get(n)}
        events = [event for name in self.known for event in self.store.history(name)]
        own = {event.row["annotation"] for event in events if event.row and event.seq in batch.seqs}
        if any(self.store.history(name)[-1].seq > batch.last for name in own | touched):
            with pytest.raises(StaleEdit):
                self.store.undo(batch.batch, ANNA)
            return
        undone = self.store.undo(batch.batch, ANNA)
        state = {name: one for name, one in self.now.items() if name not in touched}
        back = state | {name: before[name] for name in touched & set(before)}
        was = self.kept[batch.first - 1]
        for name in {event.row["annotation"] for event in events if event.row} & touched & set(was):
            self.kept[-1] = self.kept[-1] | {name: was[name]}
        self.record(undone, back)

    @rule(data=st.data())
    def revert(self, data):
        seen = [seq for seq, state in enumerate(self.states) if state is not None]
        to = data.draw(st.sampled_from(seen))
        self.record(self.store.revert(to, ANNA), self.states[to], to)

    @rule(data=st.data())
    def look_back(self, data):
        seen = [seq for seq, state in enumerate(self.states) if state is not None]
        one, two = sorted((data.draw(st.sampled_from(seen)), data.draw(st.sampled_from(seen))))
        was, now = self.states[one], self.states[two]
        assert by_id(self.store.current(at=one)) == was
        assert by_id(self.store.current("s2", at=two)) == {
            name: row for name, row in now.items() if row["image"] == "s2"
        }
        changes = {
            change["annotation"]: change for change in self.store.changes(one, two).to_pylist()
        }
        assert set(changes) == {n for n in {*was, *now} if was.get(n) != now.get(n)}
        for name, change in changes.items():
            assert (change["before"], change["after"]) == (was.get(name), now.get(name))

    @invariant()
    def the_kept_state_is_the_fold(self):
        if not hasattr(self, "store"):
            return
        assert self.store.head() == len(self.states) - 1
        assert by_id(self.store.current()) == self.now
        for image in ("s1", "s2"):
            there = {name for name, row in self.now.items() if row["image"] == image}
            view = self.store.current(image, (-1, -1, 1e6, 1e6))
            assert sorted(view["annotation"].to_pylist()) == sorted(there)
        kept = self.rows()
        self.store.rebuild()
        assert self.rows() == kept

    def rows(self):
        with self.store._engine.connect() as connection:
            return sorted(connection.execute(sa.select(current)), key=lambda row: row[0])


class TestLog(Log.TestCase):
    settings = settings(max_examples=12, stateful_step_count=20, deadline=None)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
class TestLongLog(Log.TestCase):
    settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
