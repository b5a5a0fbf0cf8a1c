"""One file a command: its flags, which of them go together, and what it prints."""
