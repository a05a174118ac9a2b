"""mainspring: a production GenAI platform in one install.

This module stays empty of imports: engine children import the package and must start in milliseconds.
"""

__version__ = "0.1.0"
