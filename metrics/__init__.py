"""Measures of how good generated pictures are: pure functions of arrays, one file a measure."""
