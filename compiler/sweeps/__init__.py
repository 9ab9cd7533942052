"""Sweeps: many variants of specs, each computed once, interrupted or not."""
