"""Looks for what would make a result too good: in a built set, or in any folder of splits."""
