"""HTTP within limits: requests, answers, uploads, refusals, the journal."""
