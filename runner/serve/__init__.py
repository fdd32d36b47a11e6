"""The local server: one model behind OpenAI's paths, batched."""
