"""HTTP APIs of API Gateway on the local cloud: MiniStack keeps what they are made of, requests are answered here."""
