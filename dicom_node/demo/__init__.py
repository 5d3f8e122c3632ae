"""The demonstration: made-up studies, a small PACS, and pictures of what came back."""
