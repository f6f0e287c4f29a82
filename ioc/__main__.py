"""`python -m ioc …` is `ioc …`: how our services start one another, whatever is on the PATH."""

from ioc.cli import main

main()
