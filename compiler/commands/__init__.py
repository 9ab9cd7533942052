"""The commands: each parses, calls the compiler and prints. `cli.py` lists them."""
