"""Other people's tables as engines: `baileys-sql:`, `baileys-rows:` and `arcaelas-sql:`.

One idea: a layout says which row of which table a key is; everything else is the same for all. The
tables are taken as they are found, types of columns included, and keep what the tool that made
them can read.
"""
