"""What is read off a network without running it."""
