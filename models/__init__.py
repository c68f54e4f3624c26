"""Trainable systems."""
