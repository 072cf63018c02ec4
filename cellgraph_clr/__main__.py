"""`python -m cellgraph_clr` is the command line."""

from cellgraph_clr.cli import main

if __name__ == "__main__":
    main()
