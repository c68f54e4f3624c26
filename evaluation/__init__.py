"""Evaluation: what `evaluate.py` and `explore.py` do. The measures themselves are in `metrics/`."""
