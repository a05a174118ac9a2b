"""Work that waits: batches, approvals, and prompts."""
