"""OpenAI's Responses API over the request ring."""
