"""Draws the pictures of rules into the package.

    python -m docs.rule_pictures           every picture
    python -m docs.rule_pictures CLN001    some of them

The same source gives the same pictures.
"""

from __future__ import annotations

import sys

from docs.rule_pictures.all import FOLDER, PICTURES
from docs.rule_pictures.panel import drawn

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for code in sys.argv[1:] or PICTURES:
        (FOLDER / f"{code}.png").write_bytes(drawn(code, PICTURES[code]()))
