"""What is deleted of somebody, and what is due to be deleted."""
