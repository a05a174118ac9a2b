"""What was trained: kept, described, traced and served."""
