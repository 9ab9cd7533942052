"""Pages about specs."""
