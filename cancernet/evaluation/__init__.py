"""Judges a finished run on other data, by groups of patients, and against another run."""
