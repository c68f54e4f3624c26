"""What `evaluate.py` measures and how it is reported; the measures themselves are in `metrics/`."""
