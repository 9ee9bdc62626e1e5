"""Standardization: tiles of declared scales, cut from slides at their true size."""
