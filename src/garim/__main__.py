"""``python -m garim``, and what ``torchrun -m garim`` starts."""

from garim.cli import main

if __name__ == "__main__":
    main()
