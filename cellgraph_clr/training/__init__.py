"""Training: batches of cells on the graph, the step loop, weights on disk."""
