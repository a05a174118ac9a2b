"""Variants: the one door through which anything new comes to a tenant's application, and goes again."""
