"""Searching for settings: Optuna proposes, folds of whole patients judge."""
