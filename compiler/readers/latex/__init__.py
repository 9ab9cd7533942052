"""The equations of a spec as LaTeX, to be pasted into a paper."""
