"""What the stages of the compiler hand on, as plain values."""
