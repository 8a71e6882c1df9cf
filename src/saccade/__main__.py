"""`python -m saccade` is `saccade`."""

from saccade.stream.cli import main

main()
