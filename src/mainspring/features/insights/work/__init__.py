"""What is made of what was read: looks at the log, topics, gaps, drafts of a FAQ."""
