"""The work of a round: reads the log, and makes topics, gaps and drafts of a FAQ."""
