"""What may be lost: cached answers, and counters that servers share."""
