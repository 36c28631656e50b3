"""What an operator may set: names, types, units, defaults, ranges. Facts only; no file, no environment."""
