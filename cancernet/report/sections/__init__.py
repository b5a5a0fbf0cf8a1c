"""The sections of a report: from its content to HTML."""
