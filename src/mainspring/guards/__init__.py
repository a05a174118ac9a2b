"""Guards: personal data and credentials, prompt injection, spotlighting, and the policy that applies them."""
