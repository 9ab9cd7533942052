"""Programs that run: as C, as torch tensors; engines."""
