"""Ratings of models and checks of voters, computed from votes."""
