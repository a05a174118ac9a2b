"""Writes articles: plan, research, draft, grounding, SEO."""
