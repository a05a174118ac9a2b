"""What of a long conversation goes before its next message: strategies, summaries, and older turns found again."""
