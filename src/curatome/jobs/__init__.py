"""Work on foreign files, done by supervised children.

A decoder may crash, hang or eat all memory on a broken slide. So every foreign file is read in a
child process with a limit on memory and on silence; a child's death is an `Outcome` that names
the stage, and the other tasks go on.
"""

from curatome.jobs.child import progress, stage
from curatome.jobs.supervise import (
    Children,
    Failure,
    Limits,
    OnProgress,
    Outcome,
    Runner,
    Task,
    run_tasks,
)

__all__ = [
    "Children",
    "Failure",
    "Limits",
    "OnProgress",
    "Outcome",
    "Runner",
    "Task",
    "progress",
    "run_tasks",
    "stage",
]
