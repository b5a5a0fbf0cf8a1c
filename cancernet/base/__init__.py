"""Errors, files, locks, tables, words: what every room may use."""
