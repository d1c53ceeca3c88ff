"""Studies that come with insml; each TOML file here is what a user would write."""
