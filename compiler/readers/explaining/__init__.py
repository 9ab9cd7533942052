"""What the codes of errors, of warnings and of the rules of `lint` mean."""

from compiler.readers.explaining.errors import ERRORS
from compiler.readers.explaining.explanation import BASE, Explanation
from compiler.readers.explaining.lint_rules import LINT_EXPLAINED
from compiler.readers.explaining.warnings import WARNINGS_EXPLAINED

EXPLANATIONS = (*ERRORS, *WARNINGS_EXPLAINED, *LINT_EXPLAINED)

__all__ = ["BASE", "ERRORS", "EXPLANATIONS", "LINT_EXPLAINED", "WARNINGS_EXPLAINED", "Explanation"]
