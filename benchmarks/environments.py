"""Virtual environments of peers, each with its own, kept between runs."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path


def python_with(folder: Path, needs: Sequence[str]) -> Path | None:
    """The Python of an environment that has what is needed; None where it cannot be made."""
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        print(f"installing {' '.join(needs)} …", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", *needs]
        if subprocess.run(command, check=False).returncode:
            return None
        ready.touch()
    return python
