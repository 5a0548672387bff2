"""What every check of a bundle raises."""


class BundleRefused(ValueError):
    """A bundle is not what it must be: damaged, tampered with, or of another version."""
