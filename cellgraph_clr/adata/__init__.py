"""Where cells, graphs and results lie in an AnnData: keys, samples, reading, writing, provenance."""
