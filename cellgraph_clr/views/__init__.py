"""Views and pairs: augmented graphs, positives from relations, soft targets."""
