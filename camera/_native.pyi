"""Types of the native core (camera/native)."""
