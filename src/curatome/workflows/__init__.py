"""What each command does to a project, one module per command. Nothing here prints."""
