"""What a finished run says of other data, of its patients' groups, and beside another run."""
