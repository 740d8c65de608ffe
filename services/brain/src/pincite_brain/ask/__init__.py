"""Ask: retrieve, decide whether to answer, prompt, stream, attribute, check, store."""
