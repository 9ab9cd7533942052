"""Results for people (tables, colours, progress) and for scripts (JSON). Computes nothing."""
