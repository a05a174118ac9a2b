"""The version of the package. Apart, so that no room imports the face of the whole."""

__version__ = "0.1.0"
