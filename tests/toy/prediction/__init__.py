"""A model package of the smallest kind."""
