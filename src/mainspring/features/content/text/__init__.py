"""The parts of articles, and checks of texts, without a model or a store."""
