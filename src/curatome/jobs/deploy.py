"""Where a Dask cluster comes from: an address, SLURM or Kubernetes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from curatome.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS = 30.0
_SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")


@contextmanager
def connected(where: str, workers: int | None = None) -> Iterator[Client]:
    """A client of the cluster, with at least one worker there.

    Args:
        where: a scheduler's address; or `slurm` or `kubernetes` to start workers there, which end
            with the block. What they are given is in Dask's own configuration.
        workers: how many to start; not for an address, whose workers are all used.

    Raises:
        ClusterError: there is no such cluster, or it cannot be started or reached.
    """
    if where.startswith(_SCHEMES):
        if workers is not None:
            raise ClusterError(
                f"all workers of {where} are used; their number was chosen when they were started. "
                "Leave out --workers."
            )
        with _client(where) as client:
            _wait(client, where, _CONNECT_SECONDS)
            yield client
        return
    start = _STARTERS.get(where)
    if start is None:
        known = ", ".join(_STARTERS)
        raise ClusterError(
            f"there is no cluster {where!r}. Give the address of a Dask scheduler, "
            f"tcp://host:8786, or one of {known}."
        )
    if workers is None:
        raise ClusterError(f"say with --workers how many workers {where} shall start.")
    with start() as cluster:
        cluster.scale(workers)
        with _client(cluster) as client:
            _wait(client, where, None)  # a queue takes its time
            yield client


def _client(cluster: Any) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise _missing("curatome[cluster]", error) from error
    try:
        return Client(cluster, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {cluster}: {error}. Check the address; "
            "`dask scheduler` prints it when it starts."
        ) from error


def _wait(client: Client, where: str, seconds: float | None) -> None:
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        raise ClusterError(
            f"the scheduler at {where} has no workers. Start some: `dask worker {where}`."
        ) from error


def _slurm() -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise _missing("curatome[cluster]", error) from error
    try:
        return SLURMCluster()
    except (ValueError, TypeError, RuntimeError) as error:
        raise ClusterError(
            f"SLURM workers cannot be described: {error} Set cores, memory, walltime and queue "
            "under jobqueue.slurm in ~/.config/dask/jobqueue.yaml."
        ) from error


def _kubernetes() -> Any:
    try:
        from dask_kubernetes.operator import KubeCluster
    except ImportError as error:
        raise _missing("dask-kubernetes", error) from error
    try:
        return KubeCluster(quiet=True)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ClusterError(
            f"Kubernetes workers cannot be started: {error} Set image or custom-cluster-spec "
            "under kubernetes in ~/.config/dask/kubernetes.yaml, and check that the Dask operator "
            "is installed."
        ) from error


def _missing(package: str, error: ImportError) -> ClusterError:
    return ClusterError(f"--cluster needs more packages ({error}): pip install '{package}'.")


_STARTERS: dict[str, Callable[[], Any]] = {"slurm": _slurm, "kubernetes": _kubernetes}
