"""Pictures of results, tensors and traces: what they show, as values, and matplotlib that draws it."""
