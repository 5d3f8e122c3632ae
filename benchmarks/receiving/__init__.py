"""What `benchmarks.receive` is made of: a corpus, a fast sender, and the servers that it is sent to."""
