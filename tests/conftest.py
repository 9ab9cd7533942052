"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as cli.py does, before torch is imported
os.environ.setdefault("WEIGHTSPEC_CHECK_PROGRAMS", "1")  # every program of every test is legal after each pass

settings.register_profile("any machine", deadline=None)  # an example may take as long as it takes
settings.load_profile("any machine")
