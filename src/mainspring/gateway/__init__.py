"""The HTTP gateway: OpenAI-compatible routes over the request ring. Each router receives one service."""
