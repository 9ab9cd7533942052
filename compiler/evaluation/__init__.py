"""Suites of inputs run and judged: k of n."""
