"""What a training begins with: its plan, its data, its folder; nothing here loads TensorFlow."""
