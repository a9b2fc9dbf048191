"""Rendering of environments: emulator frames, OpenGL and software pictures of simulators."""
