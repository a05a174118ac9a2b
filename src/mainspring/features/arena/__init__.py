"""Models against each other: people vote blindly for one of two answers, and the votes rate the models."""
