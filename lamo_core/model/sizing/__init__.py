"""Sizes of language models, weighed before anything of them is built."""
