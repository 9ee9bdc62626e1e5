"""Annotations of every tool as one table with a history."""
