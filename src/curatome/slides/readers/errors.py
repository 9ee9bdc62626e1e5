"""What decoding libraries raise on broken files."""

from __future__ import annotations

import struct
import zlib

DECODE_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,  # imagecodecs' errors
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
)
