"""Images: refused clearly, since no model here makes any."""
