"""Prompts of the registry: their template language, the registry as others see it, and the layer that applies them."""
