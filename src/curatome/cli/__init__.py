"""The command line: it calls workflows and prints; it decides nothing."""
