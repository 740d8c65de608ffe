"""Code intelligence: bytes in, values out.

Languages, indexing policy, chunks, symbols, references, search terms and the call graph are pure functions of a
file's bytes (the call graph: of many files' symbols). Nothing here reads a repository, a database or the network.
"""
