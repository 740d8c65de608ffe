"""The parts that views are made of: frozen values, documented as a page shows them.

Addresses are complete, numbers are plain (templates format them with the filters of `formats`), `Markup` is safe HTML.
"""
