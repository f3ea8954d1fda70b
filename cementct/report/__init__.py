"""The report as JSON, CSV, HTML and pictures."""
