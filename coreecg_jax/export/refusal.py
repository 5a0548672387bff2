"""What this room raises besides ValueError."""


class BundleRefused(ValueError):
    """A bundle is not what it must be: damaged, tampered with, or of another version."""


class MissingPackage(ValueError):
    """A package of an extra is not there; says how to install it."""
