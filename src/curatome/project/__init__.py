"""A project: a folder with `curatome.toml`, a store of what is known, and builds."""

from curatome.project.folder import Project, create_project, open_project
from curatome.project.kept import SlideEntry, SlideState
from curatome.project.store import Store

__all__ = ["Project", "SlideEntry", "SlideState", "Store", "create_project", "open_project"]
