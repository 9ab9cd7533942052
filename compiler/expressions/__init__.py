"""The small pure language of numbers in a spec: syntax, parser, exact arithmetic, evaluation."""
