"""The shared electronic medical record: one service, many hospitals, one record each."""
