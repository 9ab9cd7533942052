"""`python -m compiler` is `python cli.py`, from anywhere."""

from cli import main

main()
