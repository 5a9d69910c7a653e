"""One firing of a cue: claim, start, supervision, evidence, verdict, settling."""
