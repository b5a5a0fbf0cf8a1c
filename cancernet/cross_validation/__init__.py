"""Every patient tested once by a network that never saw them: `train_model.py --folds`."""
