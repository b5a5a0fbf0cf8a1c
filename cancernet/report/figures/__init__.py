"""The figures of a run, an evaluation or a cross-validation."""
