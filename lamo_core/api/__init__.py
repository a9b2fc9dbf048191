"""Python interface: what `import lamo_core as lamo` offers; loads PyTorch only when something is trained or played."""
