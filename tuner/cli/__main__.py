"""`python -m tuner.cli`: the command where it is not installed, as in a job that brings its own copy."""

from tuner.cli.main import main

main()
