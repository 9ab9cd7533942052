"""Resolved spec to network IR, one module for each kind of step."""
