"""`curatome build --cluster`."""

import pytest

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.timeout(120)


def test_a_cluster_makes_what_is_missing(run, here, sound):
    run("add", "slides")
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with local:
        result = run("build", "--cluster", local.scheduler_address, "--json")
        assert (result.code, result.json["findings"]) == (0, [])
        assert result.json["made"] == sum(result.json["tiles"].values()) > 0
        again = run("build", "--cluster", local.scheduler_address)
        assert "Nothing to build" in again.out
    assert "Nothing to build" in run("build").out


@pytest.mark.parametrize(
    ("where", "words"),
    [("moon", "there is no cluster 'moon'"), ("slurm", "say with --workers")],
)
def test_a_cluster_that_cannot_be_is_said_in_words(run, here, sound, where, words):
    run("add", "slides")
    result = run("build", "--cluster", where)
    assert result.code == 2
    assert words in result.err
