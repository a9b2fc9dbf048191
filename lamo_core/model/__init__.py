"""The policy: embeddings, a language-model trunk and action heads."""
