"""A built data set, and how its patients are divided: splits and folds."""
