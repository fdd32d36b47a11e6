"""What sends requests: OpenAI, Gemini, any endpoint that speaks chat completions, a local model."""
