"""One module per API, named as the protocol names it: `ls` is the coverage report."""
