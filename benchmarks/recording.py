"""What every benchmark writes beside its figures: machine, Python and commit."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

_RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Processor, cores, Python and commit."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line for line in lines if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, commit {commit}"


def keep(name: str, text: str) -> None:
    """Write a benchmark's last output to `results/NAME.txt`."""
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{name}.txt").write_text(text if text.endswith("\n") else text + "\n")
