pytest_plugins = ["lynkr_core.testing.plugin"]
