"""A registry that misbehaves on demand, a subject a module; see fault_registry.py."""
