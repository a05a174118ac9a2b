"""Insights into conversations: topics, sentiment, resolution, gaps of the knowledge, and drafts of a FAQ."""
