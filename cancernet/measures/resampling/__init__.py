"""Patients drawn with replacement: intervals, paired comparisons, subgroups, predictive values."""
