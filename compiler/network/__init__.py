"""The network as a value: tensors, maps, steps. No torch is known here."""
