"""The ground floor: what every part stands on. Imports nothing else of ours."""
