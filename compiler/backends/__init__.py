"""What runs a network, or bounds what running it can give."""
