"""A verdict on a spec over every input: an abstract interpreter of the network."""
