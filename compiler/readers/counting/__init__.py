"""How many parameters, by which rule; claims about them."""
