import threading

from curatome.jobs import Limits, crew
from curatome.jobs.crew import Order, Premises
from curatome.jobs.supervise import Attendant
from tests.jobs.test_cluster import alive, gone
from tests.jobs.test_supervise import task


def order(run="one", **limits):
    return Order(run, task("own_pid"), Limits(**limits), Premises())


def work(of, wanted):
    attendant = of.take(wanted)
    outcome = attendant.run(wanted.task)
    of.give_back(wanted, attendant)
    return outcome.value


def test_a_child_is_kept_for_tasks_of_its_run_and_limits_alone():
    made = crew._Crew()
    first = work(made, order())
    assert work(made, order()) == first
    others = [work(made, order("two")), work(made, order(silence_seconds=7))]
    assert len({first, *others}) == 3
    made.dismiss("one")
    assert gone(first)
    assert gone(others[1])
    assert alive(others[0])
    made.dismiss("two")
    assert gone(others[0])


def test_a_child_that_nobody_needs_ends_though_nobody_says_so(monkeypatch):
    monkeypatch.setattr(crew, "IDLE_SECONDS", 0.4)
    made = crew._Crew()
    first = work(made, order())
    assert gone(first)
    second = work(made, order())  # the one who looks after them has not gone for good
    assert second != first
    assert gone(second)


def test_premises_are_judged_where_the_work_is_done(tmp_path):
    (tmp_path / "token").touch()
    assert Premises(tmp_path, "token").broken() == ""
    assert "does not see" in Premises(tmp_path, "other").broken()
    made = crew._Crew()
    bad = Order("one", task("own_pid"), Limits(), Premises(tmp_path, "other"))
    assert "does not see" in made.judge(bad)
    assert made.judge(order("two")) == ""
    made.dismiss("two")
    assert made.judge(order("two")) == "the run is over"


def test_stopped_by_another_thread_a_task_ends_and_is_not_tried_again(tmp_path):
    attendant = Attendant(Limits())
    mark = tmp_path / "mark"
    timer = threading.Timer(0.2, lambda: (_wait(mark), attendant.stop()))
    timer.start()
    outcome = attendant.run(task("wait", str(mark), 600, function="mark_and_wait"))
    assert outcome.failure.kind == "killed"
    assert mark.read_text() == "x"


def _wait(mark):
    while not (mark.exists() and mark.read_text()):
        threading.Event().wait(0.02)
