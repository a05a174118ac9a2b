"""What articles are made of, and checks of texts: no model and no store."""
