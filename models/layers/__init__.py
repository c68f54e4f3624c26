"""Layers of our own: faster forms of Keras's, and those that it lacks."""
