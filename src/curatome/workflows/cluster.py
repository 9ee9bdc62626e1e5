"""What a project's work needs of the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curatome import __version__
from curatome.jobs import Limits, OnProgress, Outcome, Task
from curatome.project import Project
from curatome.tiles.record import codec_versions

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Cluster:
    """The workers of a cluster, as `build_project` uses those of this machine.

    Attributes:
        project: whose work they do.
        client: connected to them.
        workers: how many tasks they do at a time.
    """

    project: Project
    client: Client
    workers: int

    def run(
        self,
        tasks: Iterable[Task],
        workers: int,  # noqa: ARG002 - all of the cluster work
        limits: Limits,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Outcome]:
        """`run_tasks`, on the cluster.

        Raises:
            ClusterError: a worker does not see the build folder, has other versions of what
                pixels pass through, or the scheduler was lost.
        """
        from curatome.jobs.cluster import run_on_cluster
        from curatome.jobs.crew import Premises

        versions = {"curatome": __version__, **codec_versions()}
        premises = Premises(self.project.build, versions=versions)
        return run_on_cluster(tasks, self.client, limits, on_progress, premises)


@contextmanager
def cluster_for(project: Project, where: str, workers: int | None = None) -> Iterator[Cluster]:
    """Workers for a project's build.

    Args:
        project: the project.
        where: a scheduler's address, `slurm` or `kubernetes`.
        workers: how many to start, for the latter two.

    Raises:
        ClusterError: there is no such cluster, or it cannot be started or reached.
    """
    from curatome.jobs.deploy import connected

    with connected(where, workers) as client:
        from curatome.jobs.cluster import threads

        yield Cluster(project, client, workers or threads(client))
