"""What operators see: traces, metrics, logs and health. Never a patient: attributes and keys are on allow-lists."""
