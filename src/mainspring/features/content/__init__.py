"""The content platform: articles from sources, and notebooks of chosen documents."""
