"""Lets `python -m smalt` do what `smalt` does."""

from smalt.cli import main

if __name__ == "__main__":
    main()
