"""Behaviour cloning and value-based methods, written small for the same data, evaluation and checkpoints.

They are our own because a comparison is only as good as what is held equal: these draw from the same episodes, embed
frames with the same network, play through the same roll-outs, write the same run directory and resume exactly. The
well-known library that has them all pins an old version of gymnasium and pickles its models; it serves as the
reference for settings, which `presets/methods` names.
"""
