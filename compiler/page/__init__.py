"""Pages about specs, for a browser."""
