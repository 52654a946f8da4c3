"""The wire APIs that come with the core. Each is registered by entry point, like any plugin's."""
