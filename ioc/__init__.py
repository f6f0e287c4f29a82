"""The Intelligent Operations Centre: its words, its rules, its doors. Importing it starts nothing."""

__version__ = "0.1.0"
