"""Trainable systems, and the networks that they train."""
