"""The verbs of `python -m pipeline`, a module for each. They print what a person asked for."""
