"""What the workspace needs to check itself and to show itself; nothing here is shipped."""
