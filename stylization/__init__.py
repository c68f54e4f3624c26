"""Painting pictures and films in the manner of others: the house of `stylize.py`."""
