"""Responses that are made in the background, whether or not somebody waits for them."""
