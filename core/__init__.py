"""The ground floor, on which every part stands; it imports nothing else of ours."""
