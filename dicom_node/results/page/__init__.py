"""A run's findings as a page for viewers that show neither SEG nor SR: content, layout, and two ways to draw it."""
