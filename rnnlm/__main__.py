"""`python -m rnnlm` is the command `rnnlm`."""

from rnnlm.cli import main

if __name__ == "__main__":
    main()
