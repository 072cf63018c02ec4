"""Objectives: `(scores, positives)` in, one loss per anchor in nats out; pure tensor functions, one file each."""
