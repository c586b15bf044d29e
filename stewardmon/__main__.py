"""`python -m stewardmon`."""

from stewardmon.cli import main

if __name__ == "__main__":
    main()
