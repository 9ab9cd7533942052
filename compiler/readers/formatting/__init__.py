"""Specs laid out as text."""
