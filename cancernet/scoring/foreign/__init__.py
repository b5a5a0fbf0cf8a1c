"""Models of others: a bare `.keras` or `.h5` file, whole or in parts, without a run folder."""
