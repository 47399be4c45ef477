"""Other people's documents as engines: `baileys-mongo:`.

One idea: the whole auth state of a number is one document, so that every change is read, made and
written back on the condition that nobody else has changed the document meanwhile.
"""
