"""Slides: reading them, knowing them, finding their tissue."""
