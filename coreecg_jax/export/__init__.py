"""An encoder for everyone else: a self-describing folder, written, checked, loaded and used."""
