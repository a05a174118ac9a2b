"""The stages of a campaign: what each does, what it decides, and the record of it."""
