"""Words and pictures of measures: the report, figures, the model card, the checklist."""
