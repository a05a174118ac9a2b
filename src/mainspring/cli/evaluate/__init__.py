"""Commands that measure: retrieval, answers, and attacks."""
