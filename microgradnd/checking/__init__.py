"""The parts of the gradient check: differences, verdicts, blame, patterns and the report."""
