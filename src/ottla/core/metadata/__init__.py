"""The one ordered log of facts that the cluster agrees on, and the image it folds into."""
