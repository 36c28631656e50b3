"""Membership of groups, as far as a program names parts of it: the assignors."""
