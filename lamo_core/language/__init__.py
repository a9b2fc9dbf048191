"""Corpora, tokenizers and pre-training of small language models."""
