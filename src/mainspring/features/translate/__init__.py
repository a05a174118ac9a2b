"""Translation: pairs of sentences, a model that learns from them, and a service that translates texts and documents."""
