"""Training of the model that completes mails; all but ``layout`` needs torch and runs in a process of its own."""
