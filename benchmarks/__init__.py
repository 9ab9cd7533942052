"""What the project's code costs in time, measured."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line has it, before torch is loaded
