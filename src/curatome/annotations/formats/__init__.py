"""What the tools write: one module per format, each reads and writes `tables.ANNOTATIONS`."""
