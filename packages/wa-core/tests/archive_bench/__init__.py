"""What the tests of archives and backups share."""
