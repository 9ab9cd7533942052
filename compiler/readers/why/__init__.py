"""What is behind one weight."""
