"""Claims, written into the text of a spec."""
