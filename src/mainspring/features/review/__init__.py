"""People review answers: queues that fill from the traffic by rule, labels, agreement, and the quality of scores."""
