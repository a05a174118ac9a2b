"""Variants: the one way by which anything new enters a tenant's application, and leaves it."""
