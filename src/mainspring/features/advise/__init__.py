"""An advisor: prompt, examples, documents or weights, each tried on a person's own questions."""
