"""What validation decides: the operating point and the calibration."""
