"""Network IR to ordinary torch modules, one file for each kind of step; saving, decoding, and the reference."""
