"""Data sets of recordings and of images: what is in them, and what a sample becomes."""
